//! The delay stays between its bounds, on a simulated player.

import { describe, expect, it } from 'vitest';
import { type Bounds, JUMP_BEYOND_S, LatencyController, RATE_MAX, RATE_MIN } from '../../src/play/latency.ts';

const LIVE: Bounds = { minS: 1, maxS: 3 };
const TICK_S = 0.2;

/** Plays for `seconds` from `delayS` behind live; every delay seen, and every jump. */
function simulate(controller: LatencyController, delayS: number, seconds: number, fromMs = 0) {
  const delays: number[] = [];
  const rates: number[] = [];
  let jumps = 0;
  for (let at = 0; at < seconds; at += TICK_S) {
    const correction = controller.handleDelay(delayS, fromMs + at * 1000);
    if (correction.kind === 'jump') {
      jumps += 1;
      delayS = correction.delayS;
    } else {
      rates.push(correction.rate);
      delayS -= (correction.rate - 1) * TICK_S;
    }
    delays.push(delayS);
  }
  return { delays, rates, jumps, last: delays.at(-1) ?? NaN };
}

describe('LatencyController', () => {
  it('plays_at_normal_speed_between_the_bounds', () => {
    const { rates } = simulate(new LatencyController(LIVE), 1.8, 30);
    expect(new Set(rates)).toEqual(new Set([1]));
  });

  it('hurries_to_the_middle_of_the_bounds_when_beyond_and_then_stays_there', () => {
    const { rates, last, jumps } = simulate(new LatencyController(LIVE), 4.5, 60);
    expect(jumps).toBe(0);
    expect(last).toBeGreaterThan(1.9);
    expect(last).toBeLessThanOrEqual(2);
    expect(Math.max(...rates)).toBeLessThanOrEqual(RATE_MAX);
    expect(rates.at(-1)).toBe(1);
    const changes = rates.filter((rate, at) => at > 0 && rate !== rates[at - 1]).length;
    expect(changes).toBeLessThanOrEqual(8);
  });

  it('slows_down_when_the_buffer_is_thin_until_the_lower_bound_is_reached', () => {
    const { rates, last } = simulate(new LatencyController(LIVE), 0.1, 60);
    expect(rates[0]).toBe(RATE_MIN);
    expect(last).toBeGreaterThanOrEqual(1);
    expect(last).toBeLessThan(1.05);
    expect(rates.at(-1)).toBe(1);
  });

  it('jumps_when_hurrying_would_take_too_long', () => {
    const controller = new LatencyController(LIVE);
    const correction = controller.handleDelay(LIVE.maxS + JUMP_BEYOND_S + 0.1, 0);
    expect(correction).toEqual({ kind: 'jump', delayS: 2 });
    expect(controller.handleDelay(LIVE.maxS + JUMP_BEYOND_S, 0).kind).toBe('rate');
  });

  it('steers_higher_after_stalls_and_comes_back_when_it_was_calm', () => {
    const controller = new LatencyController(LIVE);
    controller.handleStall(0);
    expect(controller.targetS).toBe(2.5);
    controller.handleStall(1_000);
    controller.handleStall(2_000);
    expect(controller.targetS).toBe(3);
    simulate(controller, 2, 70, 2_000);
    expect(controller.targetS).toBe(2);
  });

  it('accepts_bounds_that_contradict_each_other', () => {
    const controller = new LatencyController({ minS: 2, maxS: 1 });
    expect(controller.bounds).toEqual({ minS: 2, maxS: 2 });
  });
});
