//! The small parts of publishing: sizes and layers, retries, refusals, filters, the governor, voices.

import { describe, expect, it } from 'vitest';
import { clockSpan } from '../../src/api/format.ts';
import { FILTERS, LOOKS, filterNamed, needsDrawing } from '../../src/publish/filters.ts';
import { Governor } from '../../src/publish/governor.ts';
import { readLayers, readLoss, steer } from '../../src/publish/layers.ts';
import { PitchShifter } from '../../src/publish/pitch.ts';
import { refusalOf } from '../../src/publish/refusals.ts';
import { PushPolicy } from '../../src/publish/retry.ts';
import { type Wish, captureSize, encodingsOf, targetOf } from '../../src/publish/settings.ts';
import { ROOMS, VOICES, driveCurve, impulseOf } from '../../src/publish/voice.ts';

const WISH: Wish = {
  mode: 'RTC',
  orientation: 'vertical',
  aspect: '9:16',
  videoWidth: undefined,
  videoHeight: undefined,
  minKbps: undefined,
  maxKbps: undefined,
  fps: undefined,
};

describe('settings', () => {
  it('take_the_defaults_of_wechats_attributes', () => {
    expect(targetOf(WISH)).toEqual({ width: 360, height: 640, fps: 15, minKbps: 200, maxKbps: 1_000 });
    expect(targetOf({ ...WISH, mode: 'FHD', fps: 30 })).toEqual({ width: 720, height: 1280, fps: 30, minKbps: 600, maxKbps: 1_800 });
    expect(targetOf({ ...WISH, aspect: '3:4' })).toMatchObject({ width: 360, height: 480 });
  });

  it('lie_on_their_side_when_asked_and_clamp_what_makes_no_sense', () => {
    expect(targetOf({ ...WISH, orientation: 'horizontal', mode: 'FHD' })).toMatchObject({ width: 1280, height: 720 });
    expect(targetOf({ ...WISH, minKbps: 4_000, maxKbps: 90_000, fps: 500 })).toMatchObject({ minKbps: 4_000, maxKbps: 5_000, fps: 30 });
    expect(targetOf({ ...WISH, minKbps: 900, maxKbps: 300 })).toMatchObject({ minKbps: 300, maxKbps: 300 });
    expect(targetOf({ ...WISH, videoWidth: NaN, videoHeight: -5 })).toMatchObject({ width: 16, height: 16 });
  });

  it('ask_an_upright_phone_for_a_wide_picture_which_it_turns_itself', () => {
    const target = targetOf(WISH);
    expect(captureSize(target, false)).toEqual({ width: 360, height: 640 });
    expect(captureSize(target, true)).toEqual({ width: 640, height: 360 });
  });

  it('make_three_layers_of_a_large_picture_and_one_of_a_small_one', () => {
    const large = targetOf({ ...WISH, mode: 'FHD', orientation: 'horizontal' });
    const layers = encodingsOf(large, true);
    expect(layers.map(({ rid, scaleResolutionDownBy }) => [rid, scaleResolutionDownBy])).toEqual([['l', 4], ['m', 2], ['h', 1]]);
    expect(layers.reduce((sum, { maxBitrate }) => sum + (maxBitrate ?? 0), 0)).toBe(1_800_000);
    const small = encodingsOf(targetOf(WISH), true);
    expect(small.map(({ rid }) => rid)).toEqual(['m', 'h']);
    // A quarter of its bitrate would not pass where the smallest layer has to.
    expect(small[0]?.maxBitrate).toBe(200_000);
    expect(encodingsOf(large, false)).toEqual([{ active: true, scaleResolutionDownBy: 1, maxBitrate: 1_800_000, maxFramerate: 15 }]);
  });
});

describe('layers', () => {
  const wanted = encodingsOf(targetOf({ ...WISH, mode: 'FHD' }), true);
  const active = (steering: Parameters<typeof steer>[1]): readonly boolean[] => steer(wanted, steering).map((each) => each.active);

  it('are_sent_as_far_as_somebody_watches_them', () => {
    expect(active({ level: 'full', watched: undefined, shortSide: 720 })).toEqual([true, true, true]);
    expect(active({ level: 'full', watched: new Set(['l', 'h']), shortSide: 720 })).toEqual([true, false, true]);
    // Names that are not ours mean another session's layers: better all than none.
    expect(active({ level: 'full', watched: new Set(['q']), shortSide: 720 })).toEqual([true, true, true]);
  });

  it('shrink_to_the_smallest_and_to_none_on_a_bad_network_whoever_watches', () => {
    expect(active({ level: 'base', watched: new Set(['h']), shortSide: 720 })).toEqual([true, false, false]);
    expect(active({ level: 'off', watched: new Set(['h']), shortSide: 720 })).toEqual([false, false, false]);
    const [single] = steer(encodingsOf(targetOf({ ...WISH, mode: 'FHD' }), false), { level: 'base', watched: undefined, shortSide: 720 });
    expect(single).toMatchObject({ active: true, scaleResolutionDownBy: 4, maxBitrate: 500_000 });
  });

  it('are_read_from_messages_of_the_contract_and_from_nothing_else', () => {
    expect(readLayers('{"type":"layers","active":["h","m"]}')).toEqual(new Set(['h', 'm']));
    const bad = ['', '{', 'null', '7', '{"type":"layer","active":["h"]}', '{"type":"layers","active":"h"}', '{"type":"layers","active":[]}', '{"type":"layers","active":[3]}'];
    for (const message of bad) expect(readLayers(message), message).toBeUndefined();
    expect(readLayers(`{"type":"layers","active":["${'x'.repeat(2_000)}"]}`)).toBeUndefined();
    expect(readLayers(new ArrayBuffer(4))).toBeUndefined();
  });

  it('reads how much is lost from the server and nothing else', () => {
    expect(readLoss('{"type":"loss","percent":45}')).toBe(0.45);
    expect(readLoss('{"type":"loss","percent":900}')).toBe(1);
    for (const message of ['', 'null', '{"type":"loss"}', '{"type":"loss","percent":"9"}', '{"type":"layers","percent":9}']) {
      expect(readLoss(message), message).toBeUndefined();
    }
  });

  it('lets_layers_share_what_pictures_may_have_as_they_share_the_whole', () => {
    const rates = (pictureKbps: number | undefined): number[] =>
      steer(wanted, { level: 'full', pictureKbps, watched: undefined, shortSide: 720 }).map(({ maxBitrate = 0 }) => maxBitrate);
    const whole = rates(undefined).reduce((sum, rate) => sum + rate);
    expect(rates(whole / 1_000 + 1)).toEqual(rates(undefined));
    const half = rates(whole / 2_000);
    expect(half.map((rate, at) => Math.round((rate / (rates(undefined)[at] ?? 1)) * 100))).toEqual(half.map(() => 50));
  });
});

describe('PushPolicy', () => {
  const lost = { kind: 'lost', detail: '' } as const;

  it('tries_three_times_as_wechat_does_and_counts_anew_once_connected', () => {
    const policy = new PushPolicy(() => false);
    const kinds = [1, 2, 3, 4].map(() => policy.handleFailure(lost));
    expect(kinds.map((each) => each.kind)).toEqual(['retry', 'retry', 'retry', 'give-up']);
    policy.handleConnected();
    expect(policy.handleFailure(lost)).toEqual({ kind: 'retry', afterMs: 300, attempt: 1 });
  });

  it('goes_on_slowly_where_the_page_wants_that', () => {
    const policy = new PushPolicy(() => true);
    const waits = Array.from({ length: 8 }, () => policy.handleFailure(lost)).map((each) => (each.kind === 'retry' ? each.afterMs : -1));
    expect(waits).toEqual([300, 1_500, 3_000, 5_000, 10_000, 15_000, 15_000, 15_000]);
  });

  it('does_not_ask_again_what_was_refused', () => {
    const policy = new PushPolicy(() => true);
    expect(policy.handleFailure({ kind: 'refused', detail: '', status: 401 }).kind).toBe('give-up');
    expect(policy.handleFailure({ kind: 'codec', detail: '', status: 406 }).kind).toBe('give-up');
    expect(policy.handleFailure({ kind: 'handshake', detail: '', status: 405 }).kind).toBe('give-up');
    expect(policy.handleFailure({ kind: 'handshake', detail: '', status: 503 }).kind).toBe('retry');
  });
});

describe('refusals', () => {
  const named = (name: string): Error => Object.assign(new Error('why'), { name });

  it('are_told_apart_by_what_a_person_can_do_about_them', () => {
    const kinds = ['NotAllowedError', 'NotFoundError', 'NotReadableError', 'TypeError', 'Odd'].map((name) => refusalOf('camera', named(name), true).kind);
    expect(kinds).toEqual(['denied', 'absent', 'busy', 'unsupported', 'failed']);
  });

  it('blame_the_address_where_the_page_is_not_secure', () => {
    expect(refusalOf('microphone', named('TypeError'), false)).toEqual({ device: 'microphone', kind: 'insecure', detail: 'why' });
  });
});

describe('filters', () => {
  it('have_all_of_wechats_names_and_leave_the_picture_alone_by_default', () => {
    expect(FILTERS).toHaveLength(11);
    for (const filter of FILTERS) {
      const { tint, ...numbers } = LOOKS[filter];
      for (const value of [...tint, ...Object.values(numbers)]) expect(value).toBeGreaterThanOrEqual(-0.1);
    }
    const plain = { beauty: 0, whiteness: 0, style: 'smooth', filter: 'standard', mirror: false } as const;
    expect(needsDrawing(plain)).toBe(false);
    expect(needsDrawing({ ...plain, filter: filterNamed('pink') })).toBe(true);
    expect(needsDrawing({ ...plain, mirror: true })).toBe(true);
    expect(filterNamed('no such filter')).toBe('standard');
  });
});

describe('Governor', () => {
  const run = (governor: Governor, frames: number, tookMs: number, hasBeauty = true) =>
    Array.from({ length: frames }, () => governor.handleFrame(tookMs, hasBeauty)).filter((each) => each !== undefined);

  it('leaves_a_fast_machine_alone_and_forgives_single_slow_frames', () => {
    const governor = new Governor(30);
    for (let round = 0; round < 50; round += 1) {
      expect(run(governor, 5, 8)).toEqual([]);
      expect(run(governor, 1, 200)).toEqual([]);
    }
    expect(governor.effort).toBe('all');
  });

  it('steps_down_as_far_as_it_must_and_says_each_step_once', () => {
    const governor = new Governor(30);
    expect(run(governor, 400, 60)).toEqual(['no-beauty', 'half-size', 'none']);
  });

  it('stops_where_it_is_fast_enough_and_leaves_out_the_step_that_saves_nothing', () => {
    const governor = new Governor(30);
    expect(run(governor, 16, 30, false)).toEqual(['half-size']);
    expect(run(governor, 400, 12, false)).toEqual([]);
  });
});

describe('voices and rooms', () => {
  it('have_wechats_numbers_and_begin_with_nothing', () => {
    expect(VOICES).toHaveLength(12);
    expect(ROOMS).toHaveLength(8);
    expect(VOICES[0]).toEqual({ pitch: 1, ringHz: 0, filter: undefined, drive: 0 });
    expect(ROOMS[0]).toBeUndefined();
  });

  it('ring_for_as_long_as_they_say_and_die_away', () => {
    for (const room of ROOMS) {
      if (room === undefined) continue;
      const [left, right] = [impulseOf(room, 8_000, 1), impulseOf(room, 8_000, 2)];
      expect(left).toHaveLength(Math.round(room.seconds * 8_000));
      expect(left).not.toEqual(right);
      const power = (from: number): number => left.slice(from, from + 200).reduce((sum, sample) => sum + sample * sample, 0);
      expect(power(left.length - 200)).toBeLessThan(power(0) / 1_000);
    }
    const curve = driveCurve(4);
    expect(curve[0]).toBeCloseTo(-1, 5);
    expect(curve[512]).toBeCloseTo(0, 5);
    expect(curve.at(-1)).toBeCloseTo(1, 5);
  });
});

describe('PitchShifter', () => {
  const RATE = 48_000;
  const tone = (hz: number): Float32Array => Float32Array.from({ length: RATE }, (_, at) => Math.sin((2 * Math.PI * hz * at) / RATE));
  /** Rising zero crossings in the second half, a measure of pitch for a tone. */
  const pitchOf = (samples: Float32Array): number => {
    const half = samples.slice(RATE / 2);
    let count = 0;
    for (let at = 1; at < half.length; at += 1) if ((half[at - 1] ?? 0) < 0 && (half[at] ?? 0) >= 0) count += 1;
    return count * 2;
  };
  const shift = (ratio: number, block: number): Float32Array => {
    const shifter = new PitchShifter(RATE);
    const input = tone(440);
    const output = new Float32Array(RATE);
    for (let at = 0; at < RATE; at += block) shifter.process(input.subarray(at, at + block), output.subarray(at, at + block), ratio);
    return output;
  };

  it('raises_and_lowers_a_tone_by_the_ratio', () => {
    for (const ratio of [0.6, 0.78, 1, 1.35, 1.55]) {
      const found = pitchOf(shift(ratio, 128));
      expect(Math.abs(found - 440 * ratio) / (440 * ratio), `${ratio}: ${found} Hz`).toBeLessThan(0.08);
    }
  });

  it('does_the_same_whatever_the_size_of_the_blocks', () => {
    expect(shift(1.35, 128)).toEqual(shift(1.35, 1_000));
  });
});

describe('clockSpan', () => {
  it('is_read_like_a_clock', () => {
    expect([0, 7.9, 754, 3_723].map(clockSpan)).toEqual(['0:00', '0:07', '12:34', '1:02:03']);
  });
});
