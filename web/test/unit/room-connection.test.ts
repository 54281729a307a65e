//! The connection of a member: joins, comes back, loses nothing and repeats nothing. Fake sockets, fake time.

import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Connection, type Phase, PROBE_MS, SILENCE_MS, WELCOME_MS } from '../../src/room/connection.ts';
import type { Delta } from '../../src/room/tracks.ts';
import { type WireListener, socketUrl } from '../../src/room/wire.ts';

type Message = Record<string, unknown> & { type: string };

/** A server that says what a test has it say. */
class FakeWire {
  readonly sent: Message[] = [];
  closed = false;

  constructor(readonly listener: WireListener) {}

  send(text: string): void {
    this.sent.push(JSON.parse(text) as Message);
  }

  close(): void {
    this.closed = true;
  }

  says(...messages: object[]): void {
    for (const message of messages) this.listener.handleText(JSON.stringify(message));
  }

  of(type: string): Message[] {
    return this.sent.filter((message) => message.type === type);
  }
}

const golden = JSON.parse(readFileSync(new URL('../../../docs/signalling/down.json', import.meta.url), 'utf8')) as { message: Message }[];
const WELCOME = golden[0]?.message as Message & { states: { n: number; state: object; track: string }[] };
const back = (deltas: object[] = [], answered = 0): object => ({ ...WELCOME, states: [], deltas, answered });
const said = (n: number, id: number): object => ({
  ...{ track: 'all', n },
  change: { name: 'said', said: { id, member: 1, by: 'teacher', at: 1_790_000_000_000, text: `line ${id}` } },
});
const delta = (n: number, id: number): object => ({ type: 'delta', ...said(n, id) });

let wires: FakeWire[];
let phases: Phase[];
let heard: Delta[];
let connection: Connection;

const last = (): FakeWire => wires.at(-1) as FakeWire;
const lines = (): string[] => connection.state.all?.state.chat.map(({ text }) => text) ?? [];

beforeEach(() => {
  vi.useFakeTimers();
  [wires, phases, heard] = [[], [], []];
  connect();
});

afterEach(() => {
  vi.useRealTimers();
});

function connect(): void {
  const dial = (_: string, listener: WireListener): FakeWire => {
    const wire = new FakeWire(listener);
    wires.push(wire);
    return wire;
  };
  connection = new Connection(
    { url: 'wss://host/rooms/class-3/ws', token: 'a token', name: 'Bo', dial, random: () => 0.5 },
    { handlePhase: (phase) => void phases.push(phase), handleState: () => undefined, handleDelta: (each) => void heard.push(each) },
  );
}

function join(): void {
  last().listener.handleOpen();
  last().says(WELCOME);
}

/** Cut off and dialled again after the first pause. */
function comeBack(): FakeWire {
  last().listener.handleClose();
  vi.advanceTimersByTime(200);
  last().listener.handleOpen();
  return last();
}

describe('joining', () => {
  it('says_the_token_and_the_name_first_and_is_in_when_welcomed', () => {
    expect(last().sent).toEqual([]);
    last().listener.handleOpen();
    expect(last().sent).toEqual([{ type: 'join', v: 1, token: 'a token', name: 'Bo' }]);
    last().says(WELCOME);
    expect(connection.phase).toEqual({ kind: 'in' });
    expect(connection.member).toBe(2);
    expect(last().of('ping')).toHaveLength(4);
  });

  it('tries_again_with_growing_pauses_while_nobody_answers', () => {
    for (const pause of [200, 500, 1_000, 2_000, 5_000, 5_000]) {
      const before = wires.length;
      last().listener.handleClose();
      vi.advanceTimersByTime(pause - 1);
      expect(wires.length).toBe(before);
      vi.advanceTimersByTime(1);
      expect(wires.length).toBe(before + 1);
    }
    expect(connection.phase).toEqual({ kind: 'joining', attempt: 6 });
  });

  it('gives_up_on_a_server_that_opens_and_says_nothing', () => {
    last().listener.handleOpen();
    vi.advanceTimersByTime(WELCOME_MS + 200);
    expect(wires).toHaveLength(2);
    expect(wires[0]?.closed).toBe(true);
  });

  it('a_refusal_ends_it_with_its_code', () => {
    last().listener.handleOpen();
    last().says({ type: 'refused', n: null, code: 'locked', sentence: 'the room is locked' });
    expect(connection.phase).toEqual({ kind: 'over', ending: { by: 'refused', code: 'locked', sentence: 'the room is locked' } });
    vi.advanceTimersByTime(60_000);
    expect(wires).toHaveLength(1);
  });

  it('a_busy_room_is_asked_again', () => {
    last().listener.handleOpen();
    last().says({ type: 'refused', n: null, code: 'room_busy', sentence: 'later' });
    vi.advanceTimersByTime(200);
    expect(wires).toHaveLength(2);
  });
});

describe('coming back', () => {
  it('resumes_with_what_was_seen_and_hears_each_change_once', () => {
    join();
    last().says(delta(4, 1), delta(5, 2));
    const wire = comeBack();
    expect(connection.phase.kind).toBe('away');
    expect(wire.sent).toEqual([{ type: 'resume', v: 1, token: 'a token', member: 2, seen: { all: 5, stage: null, hosts: null, own: 1 } }]);
    wire.says(back([said(5, 2), said(6, 3)]), delta(6, 3), delta(7, 4));
    expect(lines()).toEqual(['line 1', 'line 2', 'line 3', 'line 4']);
    expect(heard.map(({ n }) => n)).toEqual([4, 5, 7]);
    expect(connection.phase.kind).toBe('in');
  });

  it('a_missing_change_is_not_built_upon_but_asked_for_on_another_connection_while_this_one_stands', () => {
    join();
    const first = last();
    first.says(delta(4, 1), delta(6, 3), delta(7, 4));
    expect(lines()).toEqual(['line 1']);
    vi.advanceTimersByTime(200);
    expect(wires).toHaveLength(2);
    expect(first.closed).toBe(false);
    last().listener.handleOpen();
    expect(last().sent[0]?.['seen']).toEqual({ all: 4, stage: null, hosts: null, own: 1 });
    last().says(back([said(5, 2), said(6, 3), said(7, 4)]));
    expect(first.closed).toBe(true);
    expect(lines()).toEqual(['line 1', 'line 2', 'line 3', 'line 4']);
    expect(phases.map(({ kind }) => kind)).toEqual(['in', 'in']);
  });

  it('what_cannot_be_read_makes_it_ask_for_everything_and_shows_the_old_state_meanwhile', () => {
    join();
    last().says(delta(4, 1), { type: 'delta', track: 'all', n: 5 });
    expect(lines()).toEqual(['line 1']);
    vi.advanceTimersByTime(200);
    last().listener.handleOpen();
    expect(last().sent[0]?.['seen']).toEqual({ all: null, stage: null, hosts: null, own: null });
  });

  it('joins_anew_when_the_place_is_gone_and_counts_commands_from_one', async () => {
    join();
    void connection.command({ name: 'raise_hand' });
    last().says({ type: 'ack', n: 1 });
    const wire = comeBack();
    const open = connection.command({ name: 'lower_hand' });
    wire.says({ type: 'refused', n: null, code: 'unknown_member', sentence: 'no such member' });
    expect(await open).toEqual({ ok: false, code: 'unknown_member', sentence: 'no such member' });
    vi.advanceTimersByTime(500);
    last().listener.handleOpen();
    expect(last().sent[0]?.type).toBe('join');
    last().says(WELCOME);
    void connection.command({ name: 'raise_hand' });
    expect(last().of('command')).toEqual([{ type: 'command', n: 1, command: { name: 'raise_hand' } }]);
  });

  it('does_not_come_back_after_a_goodbye', () => {
    for (const reason of ['replaced', 'removed', 'banned', 'ended_by_host', 'hung_up', 'resumed', 'flooding']) {
      connection.leave();
      connect();
      const wire = last();
      wire.listener.handleOpen();
      wire.says(WELCOME, { type: 'bye', reason, sentence: '…' });
      expect(connection.phase, reason).toMatchObject({ kind: 'over', ending: { by: 'bye', code: reason } });
      const before = wires.length;
      vi.advanceTimersByTime(60_000);
      expect(wires.length).toBe(before);
    }
  });

  it('joins_anew_after_a_place_was_lost', () => {
    join();
    last().says({ type: 'bye', reason: 'lost', sentence: 'the connection was lost for too long' });
    vi.advanceTimersByTime(200);
    last().listener.handleOpen();
    expect(last().sent[0]?.type).toBe('join');
  });

  it('after_drain_it_goes_on_and_comes_back_when_it_was_told_to', () => {
    join();
    const first = last();
    first.says({ type: 'drain', after_ms: 2_350 });
    vi.advanceTimersByTime(2_349);
    expect(wires).toHaveLength(1);
    first.says(delta(4, 1));
    vi.advanceTimersByTime(1);
    last().listener.handleOpen();
    expect(last().sent[0]?.type).toBe('resume');
    expect(connection.phase.kind).toBe('in');
    last().says(back());
    expect(first.closed).toBe(true);
    first.says({ type: 'bye', reason: 'resumed', sentence: '…' });
    expect(connection.phase.kind).toBe('in');
  });

  it('a_connection_that_fell_silent_is_given_up', () => {
    join();
    vi.advanceTimersByTime(SILENCE_MS + 5_000);
    expect(wires[0]?.closed).toBe(true);
    expect(wires.length).toBeGreaterThan(1);
  });

  it('a_connection_with_pongs_is_kept', () => {
    join();
    for (let at = 0; at < 12; at += 1) {
      vi.advanceTimersByTime(5_000);
      last().says({ type: 'pong', t: 1, received_us: 2, sent_us: 3 });
    }
    expect(wires).toHaveLength(1);
  });

  it('hurries_when_the_network_is_back_and_leaves_a_path_that_does_not_answer', () => {
    join();
    last().listener.handleClose();
    connection.hurry();
    expect(wires).toHaveLength(2);
    last().listener.handleOpen();
    last().says(back());
    vi.advanceTimersByTime(10);
    connection.hurry();
    vi.advanceTimersByTime(PROBE_MS);
    expect(wires[1]?.closed).toBe(true);
    expect(connection.phase.kind).toBe('away');
  });
});

describe('commands', () => {
  it('are_numbered_upwards_and_answered_each', async () => {
    join();
    const [raised, chatted] = [connection.command({ name: 'raise_hand' }), connection.command({ name: 'chat', text: 'hello' })];
    expect(last().of('command').map(({ n }) => n)).toEqual([1, 2]);
    last().says({ type: 'refused', n: 2, code: 'chat_closed', sentence: 'the chat is closed' }, { type: 'ack', n: 1 });
    expect(await raised).toEqual({ ok: true });
    expect(await chatted).toEqual({ ok: false, code: 'chat_closed', sentence: 'the chat is closed' });
  });

  it('wait_for_the_connection_and_go_again_under_their_old_numbers', async () => {
    join();
    const first = connection.command({ name: 'raise_hand' });
    const second = connection.command({ name: 'lower_hand' });
    last().says({ type: 'ack', n: 1 });
    last().listener.handleClose();
    const third = connection.command({ name: 'chat', text: 'still here' });
    vi.advanceTimersByTime(200);
    last().listener.handleOpen();
    expect(last().of('command')).toEqual([]);
    // The second was done and its answer was lost; the third was never heard.
    last().says(back([], 2));
    expect(last().of('command').map(({ n }) => n)).toEqual([2, 3]);
    last().says({ type: 'ack', n: 2 }, { type: 'ack', n: 3 });
    expect([await first, await second, await third]).toEqual([{ ok: true }, { ok: true }, { ok: true }]);
  });

  it('that_the_server_has_forgotten_to_have_answered_are_done', async () => {
    join();
    const answer = connection.command({ name: 'raise_hand' });
    comeBack().says(back([], 1), { type: 'refused', n: 1, code: 'already_answered', sentence: '…' });
    expect(await answer).toEqual({ ok: true });
  });

  it('are_held_back_while_too_many_are_open', () => {
    join();
    for (let at = 0; at < 40; at += 1) void connection.command({ name: 'react', reaction: 'clap', times: 1 });
    expect(last().of('command')).toHaveLength(32);
    last().says({ type: 'ack', n: 1 }, { type: 'ack', n: 2 });
    expect(last().of('command').map(({ n }) => n)).toEqual(Array.from({ length: 34 }, (_, at) => at + 1));
  });

  it('that_are_too_long_take_no_number', async () => {
    join();
    expect(await connection.command({ name: 'chat', text: '字'.repeat(6_000) })).toMatchObject({ ok: false, code: 'message_too_long' });
    void connection.command({ name: 'raise_hand' });
    expect(last().of('command')[0]?.['n']).toBe(1);
  });

  it('of_one_that_left_are_refused', async () => {
    join();
    connection.leave();
    expect(last().of('command')).toEqual([{ type: 'command', n: 1, command: { name: 'leave' } }]);
    expect(last().closed).toBe(true);
    expect(await connection.command({ name: 'raise_hand' })).toMatchObject({ ok: false, code: 'left' });
  });
});

it('the_room_clock_is_told_by_the_welcome_until_pongs_say_it_better', () => {
  join();
  expect(connection.nowMs()).toBe(1_790_000_000_000);
  const { t } = last().of('ping')[0] as unknown as { t: number };
  last().says({ type: 'pong', t, received_us: 1_790_000_005_000_000, sent_us: 1_790_000_005_000_000 });
  expect(connection.nowMs()).toBe(1_790_000_005_000);
});

it('an_address_may_be_given_as_pages_have_it', () => {
  expect(socketUrl('/rooms/a/ws', 'https://host/demo/a')).toBe('wss://host/rooms/a/ws');
  expect(socketUrl('http://other:8080/rooms/a/ws', 'https://host/')).toBe('ws://other:8080/rooms/a/ws');
});
