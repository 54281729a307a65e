//! Numbers of a publishing connection from `getStats()`.

import { describe, expect, it } from 'vitest';
import { PushMeter, readPushSample } from '../../src/publish/push-stats.ts';

const outbound = (more: object) => ({ type: 'outbound-rtp', kind: 'video', ...more });
const STATS = [
  outbound({ rid: 'l', bytesSent: 10_000, headerBytesSent: 100, framesEncoded: 30, keyFramesEncoded: 1, frameWidth: 320, frameHeight: 180 }),
  outbound({ rid: 'h', bytesSent: 90_000, headerBytesSent: 900, framesEncoded: 29, keyFramesEncoded: 1, frameWidth: 1280, frameHeight: 720, qualityLimitationReason: 'none', encoderImplementation: 'OpenH264' }),
  { type: 'outbound-rtp', kind: 'audio', bytesSent: 6_000, headerBytesSent: 600 },
  { type: 'remote-inbound-rtp', kind: 'video', fractionLost: 0.2, roundTripTime: 0.12, jitter: 0.004, timestamp: 5 },
  { type: 'remote-inbound-rtp', kind: 'audio', fractionLost: 0.25, roundTripTime: 0.1, jitter: 0.01, timestamp: 7 },
  { type: 'transport', selectedCandidatePairId: 'p2' },
  { type: 'candidate-pair', id: 'p1', nominated: true, state: 'succeeded', availableOutgoingBitrate: 1 },
  { type: 'candidate-pair', id: 'p2', currentRoundTripTime: 0.3, availableOutgoingBitrate: 2_000_000 },
];

describe('readPushSample', () => {
  it('adds_layers_up_and_takes_the_size_of_the_largest', () => {
    const sample = readPushSample(STATS);
    expect(sample.video).toMatchObject({ bytes: 100_000, headerBytes: 1_000, frames: 30, width: 1280, height: 720, encoder: 'OpenH264' });
    expect(sample.audio.bytes).toBe(6_000);
  });

  it('takes_the_worst_loss_the_least_jitter_and_the_newest_trip_of_the_reports', () => {
    const { report, roundTripMs, availableKbps } = readPushSample(STATS);
    expect(report).toEqual({ lossShare: 0.25, jitterS: 0.004, atMs: 7 });
    expect(roundTripMs).toBe(100);
    expect(availableKbps).toBe(2_000);
  });

  it('reads_an_empty_report_and_one_of_nonsense', () => {
    for (const stats of [[], [{ type: 'outbound-rtp', kind: 'video', bytesSent: 'many' }, {}]]) {
      const sample = readPushSample(stats);
      expect(sample.video.bytes).toBe(0);
      expect(sample.report).toBeUndefined();
      expect(sample.roundTripMs).toBeUndefined();
    }
  });
});

describe('PushMeter', () => {
  it('makes_rates_of_two_samples_and_none_of_one', () => {
    const meter = new PushMeter();
    const first = readPushSample(STATS);
    expect(meter.handleSample(first, 1_000)).toBeUndefined();
    const second = { ...first, video: { ...first.video, bytes: 225_000, headerBytes: 2_000, frames: 60, keyframes: 2 } };
    expect(meter.handleSample(second, 2_000)).toMatchObject({ videoBitrate: 1_000, audioBitrate: 0, videoFPS: 30, netSpeed: 1_008, videoGOP: 1, netJitter: 4, netQualityLevel: 4, videoWidth: 1280 });
  });

  it('starts_over_with_a_new_connection', () => {
    const meter = new PushMeter();
    meter.handleSample(readPushSample(STATS), 1_000);
    meter.restart();
    expect(meter.handleSample(readPushSample([]), 2_000)).toBeUndefined();
  });
});
