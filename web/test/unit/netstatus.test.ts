//! `netstatus` numbers from counters.

import { describe, expect, it } from 'vitest';
import { type Counters, NetMeter } from '../../src/play/netstatus.ts';

const ZERO: Counters = {
  bytes: 0,
  videoBytes: 0,
  audioBytes: 0,
  framesShown: 0,
  groupS: 2,
  jitterMs: 12.4,
  lossShare: 0,
  videoCacheS: 1.25,
  audioCacheS: 1.3,
  width: 1280,
  height: 720,
};

describe('NetMeter', () => {
  it('turns_two_readings_into_rates_under_the_names_of_the_tag', () => {
    const meter = new NetMeter();
    expect(meter.handleCounters(ZERO, 1_000)).toBeUndefined();
    const later = { ...ZERO, bytes: 300_000, videoBytes: 250_000, audioBytes: 16_000, framesShown: 60 };
    expect(meter.handleCounters(later, 3_000)).toEqual({
      videoBitrate: 1000,
      audioBitrate: 64,
      videoFPS: 30,
      videoGOP: 2,
      netSpeed: 1200,
      netJitter: 12,
      netQualityLevel: 1,
      videoWidth: 1280,
      videoHeight: 720,
      videoCache: 1250,
      audioCache: 1300,
    });
  });

  it('reports_nothing_across_a_new_connection', () => {
    const meter = new NetMeter();
    meter.handleCounters({ ...ZERO, bytes: 500 }, 0);
    expect(meter.handleCounters(ZERO, 1_000)).toBeUndefined();
    meter.restart();
    expect(meter.handleCounters({ ...ZERO, bytes: 900 }, 2_000)).toBeUndefined();
  });

  it('lowers_the_quality_for_lost_packets', () => {
    const meter = new NetMeter();
    const levels = [0, 0, 0.03, 0.2, 0.6].map(
      (lossShare, at) => meter.handleCounters({ ...ZERO, bytes: at, lossShare }, at * 1_000)?.netQualityLevel,
    );
    expect(levels).toEqual([undefined, 1, 2, 4, 6]);
  });

  it('lowers_the_quality_for_jitter_and_for_stalls_that_are_fresh', () => {
    const meter = new NetMeter();
    const level = (jitterMs: number, nowMs: number) =>
      meter.handleCounters({ ...ZERO, bytes: nowMs, jitterMs }, nowMs)?.netQualityLevel;
    level(0, 0);
    expect(level(100, 1_000)).toBe(3);
    expect(level(700, 2_000)).toBe(6);
    meter.handleStall(2_500);
    expect(level(0, 3_000)).toBe(2);
    expect(level(0, 12_500)).toBe(1);
  });
});
