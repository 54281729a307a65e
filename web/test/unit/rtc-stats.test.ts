//! Numbers from what browsers count, each in its own way.

import { describe, expect, it } from 'vitest';
import { RtcMeter, type RtcSample, type TrackSample, readSample } from '../../src/play/rtc-stats.ts';

const EMPTY = readSample([{ type: 'inbound-rtp', kind: 'video' }]).video as TrackSample;

function sampleOf(video: Partial<TrackSample>): RtcSample {
  return { video: { ...EMPTY, ...video }, audio: undefined, roundTripS: 0.1 };
}

describe('readSample', () => {
  it('takes_the_first_picture_for_the_first_keyframe_where_keyframes_are_not_counted', () => {
    const firefox = { type: 'inbound-rtp', kind: 'video', framesDecoded: 40, bytesReceived: 7 };
    expect(readSample([firefox]).video).toMatchObject({ frames: 40, keyframes: 1, bytes: 7 });
    expect(readSample([{ ...firefox, framesDecoded: 0 }]).video?.keyframes).toBe(0);
  });

  it('finds_the_path_in_use_with_and_without_a_transport', () => {
    const other = { type: 'candidate-pair', id: 'a', state: 'succeeded', nominated: false, currentRoundTripTime: 9 };
    const used = { type: 'candidate-pair', id: 'b', state: 'succeeded', nominated: true, currentRoundTripTime: 0.02 };
    expect(readSample([other, used]).roundTripS).toBe(0.02);
    expect(readSample([{ type: 'transport', selectedCandidatePairId: 'a' }, other, used]).roundTripS).toBe(9);
  });

  it('reads_nothing_from_nothing_and_from_nonsense', () => {
    expect(readSample([])).toEqual({ video: undefined, audio: undefined, roundTripS: 0 });
    const odd = { type: 'inbound-rtp', kind: 'audio', bytesReceived: 'many', jitter: Number.NaN };
    expect(readSample([odd]).audio).toMatchObject({ bytes: 0, jitterS: 0 });
  });
});

describe('RtcMeter', () => {
  it('takes_the_delay_of_late_and_not_of_all_time', () => {
    const meter = new RtcMeter();
    meter.handleSample(sampleOf({ bufferedS: 300, emitted: 1_000 }), 0);
    meter.handleSample(sampleOf({ bufferedS: 303, emitted: 1_030 }), 1_000);
    expect(meter.numbers.videoCacheS).toBeCloseTo(0.1, 5);
    expect(meter.numbers.delayS).toBeCloseTo(0.15, 5);
  });

  it('keeps_the_last_delay_while_nothing_is_shown', () => {
    const meter = new RtcMeter();
    meter.handleSample(sampleOf({ bufferedS: 3, emitted: 30 }), 0);
    meter.handleSample(sampleOf({ bufferedS: 3, emitted: 30 }), 1_000);
    expect(meter.numbers.videoCacheS).toBeCloseTo(0.1, 5);
  });

  it('knows_no_delay_before_the_first_frame', () => {
    const meter = new RtcMeter();
    meter.handleSample(sampleOf({}), 0);
    expect(meter.numbers.delayS).toBeUndefined();
  });

  it('counts_packets_as_lost_though_they_were_repaired', () => {
    const lost = new RtcMeter();
    lost.handleSample(sampleOf({ packets: 100 }), 0);
    lost.handleSample(sampleOf({ packets: 180, lost: 20 }), 1_000);
    expect(lost.numbers.lossShare).toBeCloseTo(0.2, 5);
    const resent = new RtcMeter();
    resent.handleSample(sampleOf({ packets: 100 }), 0);
    resent.handleSample(sampleOf({ packets: 175, resent: 25 }), 1_000);
    expect(resent.numbers.lossShare).toBeCloseTo(0.25, 5);
  });

  it('calls_a_handful_of_packets_no_measure', () => {
    const meter = new RtcMeter();
    meter.handleSample(sampleOf({ packets: 100 }), 0);
    meter.handleSample(sampleOf({ packets: 102, lost: 5 }), 1_000);
    expect(meter.numbers.lossShare).toBe(0);
  });

  it('remembers_when_bytes_last_came', () => {
    const meter = new RtcMeter();
    expect(meter.numbers.lastDataMs).toBeUndefined();
    meter.handleSample(sampleOf({ bytes: 10 }), 500);
    meter.handleSample(sampleOf({ bytes: 10 }), 1_000);
    expect(meter.numbers.lastDataMs).toBe(500);
  });
});
