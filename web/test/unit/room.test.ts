//! Rooms: the golden messages of docs/signalling, which the server's tests read too, and the state they make.

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { RoomClock, roomUsAt } from '../../src/room/clock.ts';
import { type Down, type Up, MESSAGE_BYTES_MAX, parseDown, writeUp } from '../../src/room/messages.ts';
import { type Right, type Standing, holds, may } from '../../src/room/rights.ts';
import { ShapeError } from '../../src/room/shape.ts';
import { RoomState } from '../../src/room/state.ts';
import { wishes } from './room-wishes.ts';

interface Golden {
  readonly says: string;
  readonly message: Readonly<Record<string, unknown>>;
}

function golden<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`../../../docs/signalling/${name}.json`, import.meta.url), 'utf8')) as T;
}

/** As it was on the wire: a message of a track has the fields of the track beside its type. */
function onTheWire(message: Down): object {
  if (message.type === 'delta') return { type: 'delta', ...message.delta };
  if (message.type === 'state') return { type: 'state', ...message.view };
  return message;
}

const story = golden<{ messages: readonly object[]; views: readonly { track: string }[] }>('story');
const heard = story.messages.map((message) => parseDown(JSON.stringify(message)));

function viewsOf(state: RoomState): object[] {
  const tracks = ['all', 'stage', 'hosts', 'own'] as const;
  return tracks.flatMap((track) => (state[track] ? [{ track, ...state[track] }] : []));
}

describe('golden messages', () => {
  it.each(golden<readonly Golden[]>('down'))('of the server are read without losing a field: $says', ({ message }) => {
    const down = parseDown(JSON.stringify(message));
    expect(down && onTheWire(down)).toEqual(message);
  });

  it('of a client are what the types allow', () => {
    const messages = golden<readonly Golden[]>('up').map(({ message }) => message);
    expect(wishes.map((wish) => JSON.parse(writeUp(wish) ?? '') as unknown)).toEqual(messages);
  });

  it('are not written when the server would not read them', () => {
    const chat = (text: string): Up => ({ type: 'command', n: 1, command: { name: 'chat', text } });
    expect(writeUp(chat('字'.repeat(MESSAGE_BYTES_MAX / 3)))).toBeUndefined();
    expect(writeUp(chat('hello'))).toBe('{"type":"command","n":1,"command":{"name":"chat","text":"hello"}}');
  });
});

describe('parseDown', () => {
  it('passes_over_types_and_fields_it_does_not_know', () => {
    expect(parseDown('{"type":"weather","sunny":true}')).toBeUndefined();
    expect(parseDown('{"type":"constructor"}')).toBeUndefined();
    expect(parseDown('{"type":"ack","n":3,"mood":"good","__proto__":{"n":4}}')).toEqual({ type: 'ack', n: 3 });
  });

  it('refuses_what_is_not_of_the_shape_its_type_says', () => {
    for (const bad of ['', 'null', '[]', '{}', '{"type":7}', '{"type":"ack"}', '{"type":"ack","n":"3"}', '{"type":"ack","n":-1}',
      '{"type":"ack","n":1e300}', '{"type":"delta","track":"all","n":1}', '{"type":"delta","track":"all","n":1,"change":{}}',
      '{"type":"state","track":"own","n":1,"state":{}}', '{"type":"hide","track":"mine"}']) {
      expect(() => parseDown(bad), bad).toThrow(ShapeError);
    }
  });

  it('refuses_every_truncation_of_a_message', () => {
    const whole = JSON.stringify(golden<readonly Golden[]>('down')[0]?.message);
    for (let end = 0; end < whole.length; end += 1) expect(() => parseDown(whole.slice(0, end))).toThrow(ShapeError);
  });
});

describe('RoomState', () => {
  it('a_lesson_heard_message_by_message_ends_in_the_state_that_the_server_has', () => {
    const state = new RoomState();
    for (const message of heard) expect(message && state.handleMessage(message)).toBe('go on');
    expect(viewsOf(state)).toEqual(story.views);
  });

  it('a_change_that_comes_twice_is_applied_once', () => {
    const state = new RoomState();
    for (const message of heard) {
      if (!message) continue;
      state.handleMessage(message);
      if (message.type === 'delta') expect(state.handleMessage(message)).toBe('go on');
    }
    expect(viewsOf(state)).toEqual(story.views);
  });

  it('a_missing_change_is_noticed_and_nothing_after_it_is_applied', () => {
    const state = new RoomState();
    const ofAll = (message: Down | undefined): boolean => message?.type === 'delta' && message.delta.track === 'all';
    const missing = heard.findIndex(ofAll);
    const next = heard.findIndex((message, index) => index > missing && ofAll(message));
    for (const message of heard.slice(0, missing)) if (message) state.handleMessage(message);
    const before = state.all;
    const after = heard[next];
    expect(after && state.handleMessage(after)).toBe('resume');
    expect(state.all).toBe(before);
    expect(state.seen().all).toBe(before?.n);
  });

  it('an_unknown_change_gives_the_track_up_so_that_resume_brings_it_whole', () => {
    const state = new RoomState();
    const [welcome] = heard;
    if (welcome) state.handleMessage(welcome);
    const n = (state.all?.n ?? 0) + 1;
    const strange = parseDown(`{"type":"delta","track":"all","n":${n},"change":{"name":"moon_landing"}}`);
    expect(strange && state.handleMessage(strange)).toBe('resume');
    expect(state.seen().all).toBeNull();
    expect(state.seen().own).not.toBeNull();
  });
});

describe('rights', () => {
  const table = golden<Readonly<Record<string, Readonly<Record<Standing, readonly Right[]>>>>>('rights');
  const all = [...new Set(Object.values(table).flatMap((standings) => Object.values(standings).flat()))];

  it('are_those_of_the_server_for_every_template_and_standing', () => {
    expect(all.length).toBe(17);
    for (const [template, standings] of Object.entries(table)) {
      for (const [standing, rights] of Object.entries(standings)) {
        const held = all.filter((right) => holds(right, standing as Standing, template));
        expect(held.toSorted(), `${template} ${standing}`).toEqual(rights.toSorted());
      }
    }
  });

  it('follow_role_place_and_exceptions', () => {
    const state = new RoomState();
    for (const message of heard.slice(0, 1)) if (message) state.handleMessage(message);
    const [own, room] = [state.own?.state, state.all?.state];
    if (own === undefined || room === undefined) throw new Error('the welcome has both');
    expect([may(own, room, 'hand'), may(own, room, 'sound'), may(own, room, 'end')]).toEqual([true, false, false]);
    const up = { ...room, stage: [...room.stage, { member: own.id, since: 0, sending: { sound: false, picture: false, screen: false } }] };
    expect([may(own, up, 'hand'), may(own, up, 'sound')]).toEqual([false, true]);
    expect(may({ ...own, exceptions: [{ right: 'sound', allowed: false }] }, up, 'sound')).toBe(false);
    expect(may({ ...own, role: 'cohost' }, room, 'mute')).toBe(true);
  });
});

describe('RoomClock', () => {
  it('the_exchange_with_the_shortest_round_trip_says_the_offset', () => {
    const clock = new RoomClock();
    expect(clock.offsetUs()).toBeUndefined();
    clock.handleExchange({ sentUs: 0, receivedUs: 6_000, answeredUs: 6_000, backUs: 11_000 });
    expect(clock.offsetUs()).toBe(500);
    clock.handleExchange({ sentUs: 20_000, receivedUs: 26_000, answeredUs: 26_500, backUs: 22_500 });
    expect(clock.offsetUs()).toBe(5_000);
  });

  it('rtp_time_maps_forwards_backwards_and_over_the_wrap', () => {
    const mapping = { rtp: 2 ** 32 - 45_000, rate: 90_000, at_us: 1_790_000_010_000_000 };
    expect(roomUsAt(mapping, 0)).toBe(mapping.at_us + 500_000);
    expect(roomUsAt(mapping, 2 ** 32 - 135_000)).toBe(mapping.at_us - 1_000_000);
  });
});
