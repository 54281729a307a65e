//! The session on a simulated clock: order of codes, stalls, silence, pauses, reconnects.

import { describe, expect, it } from 'vitest';
import type { Candidate } from '../../src/play/address.ts';
import {
  DEAD_MS,
  FIRST_BYTES_MS,
  type Options,
  type Output,
  PAUSE_KEPT_MS,
  type Phase,
  type Reading,
  Session,
} from '../../src/play/session.ts';
import { RTC_LIMITS } from '../../src/play/whep-link.ts';

const HTTP: Candidate = { kind: 'http-flv', url: 'http://h/a/b.flv' };
const WHEP: Candidate = { kind: 'whep', url: 'http://h/a/b/whep' };
const WS: Candidate = { kind: 'ws-flv', url: 'ws://h/a/b.flv' };
const TICK_MS = 200;

/** A session with a simulated player that shows pictures whenever `playing` says so. */
class Stage {
  readonly session: Session;
  nowMs = 1_000;
  outputs: Output[] = [];
  reading: Reading = {
    positionS: 0,
    buffered: [],
    paused: false,
    framesShown: 0,
    hasMetadata: false,
    width: 0,
    height: 0,
    engineDelayS: undefined,
    delayFloorS: 0,
    lastDataMs: undefined,
    limits: { firstBytesMs: FIRST_BYTES_MS, silenceMs: 2_000, deadMs: DEAD_MS },
    selfPaced: false,
  };

  constructor(options: Partial<Options> = {}) {
    const all = { candidates: [HTTP, WS] as const, boundsOf: () => ({ minS: 1, maxS: 3 }), autoResume: false };
    this.session = new Session({ ...all, ...options });
  }

  drain(): void {
    for (let output = this.session.poll(); output !== undefined; output = this.session.poll()) {
      this.outputs.push(output);
      if (output.do === 'seek') this.reading = { ...this.reading, positionS: output.toS };
      // An engine that is dropped leaves the element empty.
      if (output.do === 'stop') this.reading = { ...this.reading, hasMetadata: false, buffered: [], lastDataMs: undefined };
    }
  }

  engine(...events: Parameters<Session['handleEngine']>[0][]): void {
    for (const event of events) this.session.handleEngine(event, this.nowMs);
    this.drain();
  }

  /** Time passes; with `moving` pictures are shown, with `arriving` media comes in. */
  run(ms: number, { moving = true, arriving = true } = {}): void {
    for (let end = this.nowMs + ms; this.nowMs < end; ) {
      this.nowMs += TICK_MS;
      const { reading } = this;
      const step = TICK_MS / 1000;
      const last = reading.buffered.at(-1) ?? [0, 1];
      this.reading = {
        ...reading,
        positionS: moving ? reading.positionS + step : reading.positionS,
        framesShown: moving ? reading.framesShown + 6 : reading.framesShown,
        buffered: arriving ? [[last[0], last[1] + step]] : reading.buffered,
        lastDataMs: arriving ? this.nowMs : reading.lastDataMs,
      };
      this.session.handleReading(this.reading, this.nowMs);
      this.drain();
    }
  }

  start(): void {
    this.session.play(this.nowMs);
    this.drain();
    this.engine({ type: 'connected' }, { type: 'first-bytes' }, { type: 'keyframe' });
    this.reading = { ...this.reading, hasMetadata: true, width: 1280, height: 720, buffered: [[0, 2]] };
    this.run(1_000);
  }

  get codes(): readonly number[] {
    return this.outputs.flatMap((output) => (output.do === 'emit' ? [output.code] : []));
  }

  get phases(): readonly Phase['kind'][] {
    return this.outputs.flatMap((output) => (output.do === 'phase' ? [output.phase.kind] : []));
  }

  starts(): readonly Candidate[] {
    return this.outputs.flatMap((output) => (output.do === 'start' ? [output.candidate] : []));
  }

  clear(): void {
    this.outputs = [];
  }
}

const LOST = { type: 'failed', failure: { kind: 'lost', detail: 'gone' } } as const;
const OFFLINE = { type: 'failed', failure: { kind: 'offline', detail: 'HTTP 404', status: 404 } } as const;

describe('Session', () => {
  it('tells_the_documented_codes_in_order_from_connecting_to_playing', () => {
    const stage = new Stage();
    stage.start();
    expect(stage.codes).toEqual([2001, 2002, 2003, 2008, 2009, 2032, 2004]);
    expect(stage.phases).toEqual(['connecting', 'loading', 'playing']);
  });

  it('reports_a_stall_once_a_render_gap_reaches_800_ms_and_playing_when_it_is_over', () => {
    const stage = new Stage();
    stage.start();
    stage.clear();
    stage.run(600, { moving: false });
    expect(stage.codes).toEqual([]);
    stage.run(3_000, { moving: false });
    expect(stage.codes).toEqual([2105, 2007]);
    stage.run(400);
    expect(stage.codes).toEqual([2105, 2007, 2004]);
  });

  it('counts_a_frozen_picture_as_a_stall_even_while_time_goes_on', () => {
    const stage = new Stage();
    stage.start();
    const { framesShown } = stage.reading;
    stage.clear();
    for (let at = 0; at < 6; at += 1) {
      stage.nowMs += TICK_MS;
      stage.reading = { ...stage.reading, positionS: stage.reading.positionS + 0.2, framesShown, lastDataMs: stage.nowMs };
      stage.session.handleReading(stage.reading, stage.nowMs);
      stage.drain();
    }
    expect(stage.codes).toContain(2105);
  });

  it('waits_while_the_publisher_is_away_and_goes_on_without_reconnecting', () => {
    const stage = new Stage();
    stage.start();
    stage.clear();
    stage.run(2_000, { arriving: false });
    stage.run(1_200, { arriving: false, moving: false });
    expect(stage.outputs).toContainEqual({ do: 'ask' });
    stage.session.handleStatus('waiting', stage.nowMs);
    stage.drain();
    expect(stage.session.phase).toMatchObject({ kind: 'waiting', publisherLeft: true });
    stage.run(DEAD_MS + 5_000, { arriving: false, moving: false });
    expect(stage.session.phase.kind).toBe('waiting');
    stage.run(1_000);
    expect(stage.session.phase.kind).toBe('playing');
    expect(stage.starts()).toEqual([]);
    expect(stage.codes).not.toContain(2103);
  });

  it('reconnects_when_a_connection_is_silent_though_the_server_calls_the_stream_live', () => {
    const stage = new Stage();
    stage.start();
    stage.clear();
    stage.run(DEAD_MS + 1_500, { arriving: false, moving: false });
    expect(stage.codes).toContain(3005);
    expect(stage.codes).toContain(2103);
    expect(stage.starts()).toEqual([HTTP]);
  });

  it('tries_another_transport_when_no_byte_arrives_and_the_publisher_is_not_away', () => {
    const stage = new Stage();
    stage.session.play(stage.nowMs);
    stage.engine({ type: 'connected' });
    stage.run(FIRST_BYTES_MS + 200, { arriving: false, moving: false });
    expect(stage.outputs).toContainEqual({ do: 'ask' });
    stage.session.handleStatus('unknown', stage.nowMs);
    stage.drain();
    expect(stage.starts()).toEqual([HTTP, WS]);
  });

  it('keeps_a_connection_without_bytes_while_the_publisher_is_away', () => {
    const stage = new Stage();
    stage.session.play(stage.nowMs);
    stage.engine({ type: 'connected' });
    stage.run(FIRST_BYTES_MS + 200, { arriving: false, moving: false });
    stage.session.handleStatus('waiting', stage.nowMs);
    stage.drain();
    expect(stage.session.phase).toMatchObject({ kind: 'waiting', publisherLeft: true });
    expect(stage.starts()).toEqual([HTTP]);
  });

  it('gives_up_with_minus_2301_after_three_reconnects', () => {
    const stage = new Stage();
    stage.start();
    stage.clear();
    for (let at = 0; at < 4; at += 1) {
      stage.engine(LOST);
      stage.run(4_000, { arriving: false, moving: false });
    }
    expect(stage.codes).toEqual([3005, 2103, 3005, 2103, 3005, 2103, 3005, -2301]);
    expect(stage.session.phase).toEqual({ kind: 'failed', failure: LOST.failure, resumeAtMs: undefined });
  });

  it('looks_again_quietly_with_auto_resume_and_plays_when_the_stream_is_back', () => {
    const stage = new Stage({ autoResume: true });
    stage.start();
    stage.engine({ type: 'ended' });
    expect(stage.session.phase.kind).toBe('ended');
    stage.clear();
    stage.run(5_200, { arriving: false, moving: false });
    expect(stage.starts()).toEqual([HTTP]);
    stage.engine(OFFLINE);
    expect(stage.codes).toEqual([]);
    expect(stage.session.phase.kind).toBe('ended');
    stage.run(10_200, { arriving: false, moving: false });
    expect(stage.starts()).toHaveLength(2);
    stage.engine({ type: 'connected' }, { type: 'first-bytes' });
    expect(stage.session.phase.kind).toBe('loading');
  });

  it('says_that_the_stream_ended_and_stays_there_without_auto_resume', () => {
    const stage = new Stage();
    stage.start();
    stage.clear();
    stage.engine({ type: 'ended' });
    stage.run(60_000, { arriving: false, moving: false });
    expect(stage.codes).toEqual([2006]);
    expect(stage.starts()).toEqual([]);
    expect(stage.session.phase).toEqual({ kind: 'ended', resumeAtMs: undefined });
  });

  it('jumps_to_live_on_resuming_a_short_pause_and_connects_anew_after_a_long_one', () => {
    const stage = new Stage();
    stage.start();
    stage.session.pause(stage.nowMs);
    stage.run(6_000, { moving: false });
    stage.clear();
    stage.session.resume(stage.nowMs, stage.reading);
    stage.drain();
    const end = stage.reading.buffered.at(-1)?.[1] ?? 0;
    expect(end - stage.reading.positionS).toBeCloseTo(2, 5);
    stage.session.pause(stage.nowMs);
    stage.run(PAUSE_KEPT_MS + 400, { moving: false });
    expect(stage.outputs).toContainEqual({ do: 'stop' });
    stage.clear();
    stage.session.resume(stage.nowMs, stage.reading);
    stage.drain();
    expect(stage.starts()).toEqual([HTTP]);
  });

  it('hurries_when_behind_and_jumps_when_far_behind_never_past_what_has_arrived', () => {
    const stage = new Stage();
    stage.start();
    const { positionS } = stage.reading;
    stage.clear();
    stage.reading = { ...stage.reading, buffered: [[0, positionS + 4]] };
    stage.run(200);
    expect(stage.outputs).toContainEqual({ do: 'rate', rate: 1.25 });
    stage.reading = { ...stage.reading, buffered: [[0, stage.reading.positionS + 20]] };
    stage.run(200);
    const last = stage.reading.buffered.at(-1)?.[1] ?? 0;
    expect(last - stage.reading.positionS).toBeCloseTo(2, 1);
  });

  it('begins_near_live_when_media_piled_up_while_the_decoder_started', () => {
    const stage = new Stage();
    stage.session.play(stage.nowMs);
    stage.engine({ type: 'connected' }, { type: 'first-bytes' }, { type: 'keyframe' });
    stage.reading = { ...stage.reading, hasMetadata: true, width: 1280, height: 720, buffered: [[0, 6]] };
    stage.run(600);
    const end = stage.reading.buffered.at(-1)?.[1] ?? 0;
    expect(end - stage.reading.positionS).toBeLessThan(2.5);
    expect(stage.outputs.some((output) => output.do === 'rate')).toBe(false);
  });

  it('steps_over_a_hole_in_the_buffer', () => {
    const stage = new Stage();
    stage.start();
    const { positionS } = stage.reading;
    stage.clear();
    stage.reading = { ...stage.reading, buffered: [[0, positionS], [positionS + 10, positionS + 12]] };
    for (let at = 0; at < 6; at += 1) {
      stage.nowMs += TICK_MS;
      stage.reading = { ...stage.reading, lastDataMs: stage.nowMs };
      stage.session.handleReading(stage.reading, stage.nowMs);
    }
    stage.drain();
    expect(stage.reading.positionS).toBeGreaterThanOrEqual(positionS + 10);
  });

  it('keeps_at_least_the_delay_that_the_engine_needs', () => {
    const stage = new Stage({ boundsOf: () => ({ minS: 0.2, maxS: 0.8 }) });
    stage.reading = { ...stage.reading, delayFloorS: 1.5, engineDelayS: 1.7 };
    stage.start();
    stage.run(2_000);
    expect(stage.outputs.filter((output) => output.do === 'rate')).toEqual([]);
    expect(stage.session.targetS).toBeGreaterThan(1.5);
  });

  it('leaves_the_pace_to_an_engine_that_keeps_it_itself', () => {
    const stage = new Stage();
    stage.reading = { ...stage.reading, selfPaced: true, engineDelayS: 9 };
    stage.start();
    stage.run(3_000);
    expect(stage.outputs.filter((output) => output.do === 'rate' || output.do === 'seek')).toEqual([]);
  });

  it('takes_the_bounds_of_the_engine_that_plays', () => {
    const boundsOf: Options['boundsOf'] = (kind) => (kind === 'whep' ? { minS: 0.1, maxS: 0.3 } : { minS: 1, maxS: 3 });
    const stage = new Stage({ candidates: [WHEP, HTTP], boundsOf });
    stage.session.play(stage.nowMs);
    expect(stage.session.targetS).toBeCloseTo(0.2, 5);
    stage.engine({ type: 'failed', failure: { kind: 'connect', detail: 'no ICE' } });
    expect(stage.session.targetS).toBeCloseTo(2, 5);
    expect(stage.starts()).toEqual([WHEP, HTTP]);
    expect(stage.codes).toEqual([3002]);
  });

  it('falls_on_when_webrtc_is_connected_and_no_byte_comes_in_three_seconds', () => {
    const stage = new Stage({ candidates: [WHEP, HTTP] });
    stage.reading = { ...stage.reading, limits: RTC_LIMITS };
    stage.session.play(stage.nowMs);
    stage.run(2_000, { arriving: false, moving: false });
    stage.engine({ type: 'connected' });
    stage.run(2_800, { arriving: false, moving: false });
    expect(stage.outputs).not.toContainEqual({ do: 'ask' });
    stage.run(200, { arriving: false, moving: false });
    expect(stage.outputs).toContainEqual({ do: 'ask' });
    stage.session.handleStatus('live', stage.nowMs);
    stage.drain();
    expect(stage.starts()).toEqual([WHEP, HTTP]);
  });

  it('tells_the_codes_in_order_though_the_picture_comes_before_the_count_of_its_bytes', () => {
    const stage = new Stage({ candidates: [WHEP, HTTP] });
    stage.session.play(stage.nowMs);
    stage.engine({ type: 'connected' });
    stage.reading = { ...stage.reading, hasMetadata: true, width: 640, height: 360, selfPaced: true };
    stage.run(600);
    stage.engine({ type: 'first-bytes' }, { type: 'keyframe' });
    expect(stage.codes).toEqual([2001, 2002, 2003, 2008, 2009, 2032, 2004]);
  });

  it('says_that_webrtc_mends_itself_and_that_it_plays_again', () => {
    const stage = new Stage({ candidates: [WHEP, HTTP] });
    stage.start();
    stage.clear();
    stage.engine({ type: 'interrupted', detail: 'ICE failed' });
    expect(stage.session.phase.kind).toBe('reconnecting');
    stage.run(400);
    expect(stage.codes).toEqual([2103, 2004]);
    expect(stage.starts()).toEqual([]);
  });

  it('takes_a_silence_where_nothing_is_live_any_more_for_the_end', () => {
    const stage = new Stage({ candidates: [WHEP, HTTP] });
    stage.reading = { ...stage.reading, limits: RTC_LIMITS, selfPaced: true };
    stage.start();
    stage.clear();
    stage.reading = { ...stage.reading, buffered: [] };
    for (let at = 0; at < 16; at += 1) {
      stage.nowMs += TICK_MS;
      stage.session.handleReading(stage.reading, stage.nowMs);
    }
    stage.drain();
    expect(stage.outputs).toContainEqual({ do: 'ask' });
    stage.session.handleStatus('absent', stage.nowMs);
    stage.drain();
    expect(stage.codes).toEqual([2105, 2007, 2006]);
    expect(stage.session.phase.kind).toBe('ended');
  });

  it('does_not_take_the_last_picture_sent_again_for_the_stream_while_the_publisher_is_away', () => {
    const stage = new Stage({ candidates: [WHEP, HTTP] });
    stage.reading = { ...stage.reading, limits: RTC_LIMITS, selfPaced: true };
    stage.start();
    stage.clear();
    const answer = (status: 'waiting' | 'absent'): void => {
      stage.session.handleStatus(status, stage.nowMs);
      stage.drain();
    };
    stage.run(2_800, { arriving: false, moving: false });
    stage.run(400);
    expect(stage.codes).toEqual([2105, 2007, 2004]);
    expect(stage.outputs).toContainEqual({ do: 'ask' });
    answer('waiting');
    expect(stage.session.phase).toMatchObject({ kind: 'waiting', publisherLeft: true });
    stage.clear();
    for (let at = 0; at < 3; at += 1) {
      stage.run(200);
      stage.run(2_600, { arriving: false, moving: false });
      answer('waiting');
    }
    expect(stage.codes).toEqual([]);
    expect(stage.session.phase.kind).toBe('waiting');
    stage.run(1_400);
    expect(stage.codes).toEqual([2004]);
    stage.run(3_800, { arriving: false, moving: false });
    answer('absent');
    expect(stage.codes.at(-1)).toBe(2006);
  });

  it('reconnects_by_webrtc_when_it_is_silent_though_the_stream_is_live', () => {
    const stage = new Stage({ candidates: [WHEP, HTTP] });
    stage.reading = { ...stage.reading, limits: RTC_LIMITS, selfPaced: true };
    stage.start();
    stage.run(6_000);
    stage.clear();
    stage.run(RTC_LIMITS.deadMs + 800, { arriving: false, moving: false });
    expect(stage.codes).toEqual([2105, 2007, 3005, 2103]);
    expect(stage.starts()).toEqual([WHEP]);
  });

  it('does_not_sit_out_a_wait_when_the_network_comes_back', () => {
    const stage = new Stage();
    stage.start();
    stage.engine(LOST);
    stage.clear();
    stage.session.hurry(stage.nowMs);
    stage.run(200, { arriving: false, moving: false });
    expect(stage.starts()).toEqual([HTTP]);
  });
});
