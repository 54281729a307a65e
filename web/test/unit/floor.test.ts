//! The video floor in virtual time: what it does about loss, about queues, and that it does not flutter.

import { describe, expect, it } from 'vitest';
import { Floor, type FloorDecision, type FloorSample } from '../../src/publish/floor.ts';

const LIMITS = { minKbps: 300, maxKbps: 1_800 };
const CALM: FloorSample = { lossShare: 0, roundTripMs: 100, sentKbps: 1_500 };

/** A second each: `sampleAt` gives what is measured, from what was decided so far. */
function run(floor: Floor, fromS: number, seconds: number, sampleAt: (decision: FloorDecision, s: number) => FloorSample) {
  const decisions: FloorDecision[] = [];
  for (let s = fromS; s < fromS + seconds; s += 1) decisions.push(floor.handleSample(sampleAt(floor.decision, s), s * 1_000));
  return decisions;
}

const always = (sample: FloorSample) => () => sample;

describe('Floor', () => {
  it('leaves_a_calm_network_alone', () => {
    const floor = new Floor(LIMITS);
    for (const decision of run(floor, 0, 60, always(CALM))) expect(decision).toEqual({ floorKbps: undefined, level: 'full' });
  });

  it('holds_the_rate_under_random_loss_within_seconds_at_what_the_link_was_seen_to_carry', () => {
    const floor = new Floor(LIMITS);
    run(floor, 0, 10, always(CALM));
    const decisions = run(floor, 10, 6, always({ lossShare: 0.3, roundTripMs: 104, sentKbps: 400 }));
    const first = decisions.findIndex(({ floorKbps }) => floorKbps !== undefined);
    expect(first).toBeLessThanOrEqual(3);
    expect(decisions.at(-1)?.floorKbps).toBeGreaterThanOrEqual(1_200);
    expect(decisions.at(-1)?.floorKbps).toBeLessThanOrEqual(1_500);
  });

  it('tries_a_share_of_the_largest_rate_where_loss_was_there_from_the_start', () => {
    const floor = new Floor(LIMITS);
    const decisions = run(floor, 0, 6, always({ lossShare: 0.3, roundTripMs: 100, sentKbps: 60 }));
    expect(decisions.at(-1)?.floorKbps).toBe(1_080);
  });

  it('stays_away_while_the_round_trip_says_that_a_queue_is_what_loses_packets', () => {
    const floor = new Floor(LIMITS);
    run(floor, 0, 10, always(CALM));
    const queueing = (_: FloorDecision, s: number): FloorSample => ({ lossShare: 0.2, roundTripMs: 100 + (s - 9) * 80, sentKbps: 900 });
    const decisions = run(floor, 10, 10, queueing);
    expect(decisions.slice(3).every(({ floorKbps }) => floorKbps === undefined)).toBe(true);
  });

  it('goes_at_once_when_the_round_trip_grows_and_comes_back_lower_after_a_rest', () => {
    const floor = new Floor(LIMITS);
    run(floor, 0, 10, always(CALM));
    const lossy: FloorSample = { lossShare: 0.25, roundTripMs: 102, sentKbps: 1_300 };
    const held = run(floor, 10, 6, always(lossy)).at(-1)?.floorKbps ?? 0;
    expect(held).toBeGreaterThan(0);
    const grown = run(floor, 16, 3, always({ ...lossy, roundTripMs: 320 }));
    expect(grown.at(-1)?.floorKbps).toBeUndefined();
    const resting = run(floor, 19, 6, always(lossy));
    expect(resting.every(({ floorKbps }) => floorKbps === undefined)).toBe(true);
    const later = run(floor, 25, 8, always(lossy)).at(-1)?.floorKbps ?? 0;
    expect(later).toBeGreaterThan(0);
    expect(later).toBeLessThan(held * 0.7);
  });

  it('goes_when_the_loss_has_been_gone_for_some_seconds_and_not_for_a_moment', () => {
    const floor = new Floor(LIMITS);
    run(floor, 0, 6, always({ lossShare: 0.3, roundTripMs: 100, sentKbps: 300 }));
    const moment = run(floor, 6, 3, always({ ...CALM, lossShare: 0.02 }));
    expect(moment.at(-1)?.floorKbps).toBeDefined();
    const calm = run(floor, 9, 12, always(CALM));
    expect(calm.at(-1)?.floorKbps).toBeUndefined();
  });

  it('is_not_set_anew_for_every_small_change', () => {
    const floor = new Floor(LIMITS);
    run(floor, 0, 10, always(CALM));
    const decisions = run(floor, 10, 50, (_, s) => ({ lossShare: 0.2 + 0.05 * (s % 3), roundTripMs: 100 + (s % 4) * 8, sentKbps: 1_300 }));
    const values = decisions.map(({ floorKbps }) => floorKbps);
    const changes = values.filter((value, at) => at > 0 && value !== values[at - 1]);
    expect(changes.length).toBeLessThanOrEqual(2);
  });

  it('sends_the_small_picture_then_sound_alone_as_loss_grows_and_comes_back_step_by_step', () => {
    const floor = new Floor(LIMITS);
    const lossy = (lossShare: number): FloorSample => ({ lossShare, roundTripMs: 100, sentKbps: 300 });
    expect(run(floor, 0, 8, always(lossy(0.7))).at(-1)).toMatchObject({ floorKbps: 700, level: 'base' });
    expect(run(floor, 8, 12, always(lossy(0.92))).at(-1)).toMatchObject({ floorKbps: undefined, level: 'off' });
    expect(run(floor, 20, 12, always(lossy(0.5))).at(-1)?.level).toBe('base');
    const levels = run(floor, 32, 15, always(lossy(0.05))).map(({ level }) => level);
    expect(levels.at(0)).toBe('base');
    expect(levels.at(-1)).toBe('full');
  });

  it('keeps_the_picture_at_thirty_and_fifty_percent_loss', () => {
    const floor = new Floor(LIMITS);
    const decisions = run(floor, 0, 120, (_, s) => ({ lossShare: s < 60 ? 0.3 : 0.5, roundTripMs: 100, sentKbps: 800 }));
    expect(decisions.every(({ level }) => level === 'full')).toBe(true);
  });

  it('takes_silence_for_no_news', () => {
    const floor = new Floor(LIMITS);
    const before = run(floor, 0, 6, always({ lossShare: 0.3, roundTripMs: 100, sentKbps: 300 })).at(-1);
    const outage = run(floor, 6, 20, always({ lossShare: undefined, roundTripMs: undefined, sentKbps: 0 }));
    expect(outage.every((decision) => decision.floorKbps === before?.floorKbps && decision.level === 'full')).toBe(true);
  });

  it('makes pictures of fewer packets the more is lost, and leaves the rest for sending again', () => {
    const pictureAt = (lossShare: number, told = lossShare): number => {
      const floor = new Floor({ minKbps: 300, maxKbps: 2_500 });
      run(floor, 0, 10, always({ ...CALM, sentKbps: 2_400 }));
      floor.handleToldLoss(told);
      return run(floor, 10, 10, always({ lossShare, roundTripMs: 100, sentKbps: 800 })).at(-1)?.pictureKbps ?? 0;
    };
    expect(pictureAt(0.1)).toBeGreaterThan(1_300);
    expect(pictureAt(0.3)).toBeGreaterThan(600);
    expect(pictureAt(0.3)).toBeLessThan(1_000);
    expect(pictureAt(0.5)).toBeGreaterThan(300);
    expect(pictureAt(0.5)).toBeLessThan(550);
    expect(pictureAt(0.2, 0.5), 'what the server says counts more than reports').toBeLessThan(550);
  });

  it('stays_away_when_the_server_says_that_nothing_is_lost_by_chance_and_comes_when_it_says_that_much_is', () => {
    const floor = new Floor(LIMITS);
    floor.handleToldLoss(0);
    const dropped = run(floor, 0, 10, always({ lossShare: 0.4, roundTripMs: 100, sentKbps: 500 }));
    expect(dropped.every(({ floorKbps }) => floorKbps === undefined)).toBe(true);
    floor.handleToldLoss(0.3);
    const mended = run(floor, 10, 5, always({ lossShare: 0.02, roundTripMs: 100, sentKbps: 500 }));
    expect(mended.at(-1)?.floorKbps).toBeGreaterThan(0);
  });

  it('leaves_the_picture_alone_when_the_floor_is_gone', () => {
    const floor = new Floor(LIMITS);
    run(floor, 0, 6, always({ lossShare: 0.3, roundTripMs: 100, sentKbps: 300 }));
    expect(floor.decision.pictureKbps).toBeDefined();
    run(floor, 6, 14, always(CALM));
    expect(floor.decision.pictureKbps).toBeUndefined();
  });
});
