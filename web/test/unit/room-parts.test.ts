//! Small parts of rooms: taps that are gathered, a call that is declined, pauses between attempts.

import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { roomEn } from '../../src/i18n/room.en.ts';
import { roomZhCN } from '../../src/i18n/room.zh-CN.ts';
import { delayMs } from '../../src/room/backoff.ts';
import { declineCall } from '../../src/room/decline.ts';
import { afterBye, afterRefusal } from '../../src/room/endings.ts';
import type { Command } from '../../src/room/messages.ts';
import { Taps } from '../../src/room/taps.ts';
import type { WireListener } from '../../src/room/wire.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('Taps', () => {
  it('are_sent_together_four_times_a_second_and_never_too_many', () => {
    const sent: Command[] = [];
    const taps = new Taps((command) => void sent.push(command));
    for (let at = 0; at < 3; at += 1) taps.handleTap('clap');
    taps.handleTap('love');
    expect(sent).toEqual([]);
    vi.advanceTimersByTime(250);
    expect(sent).toEqual([{ name: 'react', reaction: 'clap', times: 3 }, { name: 'react', reaction: 'love', times: 1 }]);
    for (let at = 0; at < 50; at += 1) taps.handleTap('clap');
    vi.advanceTimersByTime(250);
    expect(sent.at(-1)).toEqual({ name: 'react', reaction: 'clap', times: 20 });
    vi.advanceTimersByTime(1_000);
    expect(sent).toHaveLength(3);
  });
});

it('a_call_is_declined_by_one_message_and_an_answer_is_not_waited_for_for_ever', () => {
  const sent: string[] = [];
  let closed = 0;
  let listener: WireListener | undefined;
  const dial = (_: string, told: WireListener) => {
    listener = told;
    return { send: (text: string) => void sent.push(text), close: () => void (closed += 1) };
  };
  declineCall('wss://host/rooms/a/ws', 'a token', dial);
  listener?.handleOpen();
  expect(sent).toEqual(['{"type":"decline_call","v":1,"token":"a token"}']);
  expect(closed).toBe(0);
  vi.advanceTimersByTime(5_000);
  expect(closed).toBe(1);
});

it('pauses_grow_and_differ_by_a_quarter', () => {
  expect([0, 1, 2, 3, 4, 9].map((attempt) => delayMs(attempt, 0.5))).toEqual([200, 500, 1_000, 2_000, 5_000, 5_000]);
  expect([delayMs(2, 0), delayMs(2, 1)]).toEqual([750, 1_250]);
});

it('only_a_lost_place_and_a_busy_room_are_come_back_to', () => {
  expect([afterBye('lost'), afterBye('replaced'), afterBye('something new')]).toEqual(['join', 'stop', 'stop']);
  expect([afterRefusal('unknown_member'), afterRefusal('room_busy'), afterRefusal('bad_token')]).toEqual(['join', 'retry', 'stop']);
});

describe('words', () => {
  const codes = ['bad_token', 'banned', 'chat_closed', 'full', 'hands_closed', 'locked', 'no_right', 'screen_taken', 'stage_full', 'too_fast', 'wrong_room'];
  const endings = ['left', 'lost', 'replaced', 'resumed', 'removed', 'banned', 'flooding', 'ended_by_host', 'ended_by_backend', 'host_left', 'no_answer', 'call_declined', 'hung_up', 'empty'];

  it.each([['en', roomEn], ['zh-CN', roomZhCN]] as const)('of_%s_know_what_servers_say_and_repeat_what_they_do_not_know', (_, words) => {
    for (const code of codes) expect(words.refusal(code, 'unknown'), code).not.toBe('unknown');
    for (const code of endings) expect(words.ending(code, 'unknown').title, code).not.toBe('unknown');
    expect(words.refusal('moon_landing', 'the moon is taken')).toBe('the moon is taken');
    expect(words.ending('moon_landing', 'the moon is taken').title).toBe('the moon is taken');
  });

  it('for_every_refusal_and_goodbye_of_the_protocol_are_there', () => {
    const text = readFileSync(new URL('../../../docs/signalling.md', import.meta.url), 'utf8');
    const table = (title: string): string[] => {
      const part = text.split(new RegExp(`^### ${title}$`, 'm'))[1]?.split(/^##/m)[0] ?? '';
      return [...part.matchAll(/^\| `(\w+)` \|/gm)].map(([, code]) => code ?? '');
    };
    // What a page of ours cannot cause, and what is settled before anybody would read it.
    const unsaid = ['already_answered', 'bad_message'];
    expect(table('Refusals').length).toBeGreaterThan(30);
    expect(table('Goodbyes').length).toBe(14);
    for (const words of [roomEn, roomZhCN]) {
      expect(table('Refusals').filter((code) => words.refusal(code, '') === '')).toEqual(unsaid);
      expect(table('Goodbyes').filter((code) => words.ending(code, '').title === '')).toEqual([]);
    }
  });
});
