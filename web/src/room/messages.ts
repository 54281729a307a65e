//! The messages of rooms, version 1, as docs/signalling.md specifies them and docs/signalling/*.json shows.

import { type Shaped, ShapeError, int, known, list, nullable, object, oneOf, tagged, text } from './shape.ts';
import { type Media, type Open, type Reaction, type Role, type Sending, type TrackName, delta, trackName, view } from './tracks.ts';

export const VERSION = 1;
/** The server refuses longer ones. */
export const MESSAGE_BYTES_MAX = 16_384;

const down = tagged('type', {
  welcome: {
    v: int,
    room: text,
    member: int,
    now: int,
    answered: int,
    tracks: list(trackName),
    states: list(known(view)),
    deltas: list(known(delta)),
  },
  hide: { track: trackName },
  ack: { n: int },
  refused: { n: nullable(int), code: text, sentence: text },
  pong: { t: int, received_us: int, sent_us: int },
  drain: { after_ms: int },
  bye: { reason: text, sentence: text },
});
/** Messages that are a track's, with its fields beside their type. */
const ofTrack = object({ type: oneOf('delta', 'state') });

type Plain = NonNullable<Shaped<typeof down>>;
/** From the server. */
export type Down =
  | Plain
  | { readonly type: 'delta'; readonly delta: NonNullable<Shaped<typeof delta>> }
  | { readonly type: 'state'; readonly view: NonNullable<Shaped<typeof view>> };
export type Welcome = Extract<Plain, { type: 'welcome' }>;

/** Numbers of changes that were seen, of the tracks that are kept. */
export type Seen = Readonly<Record<TrackName, number | null>>;

/** A member's wish. */
export type Command =
  | { readonly name: 'leave' | 'step_up' | 'step_down' | 'raise_hand' | 'lower_hand' | 'accept' | 'decline' }
  | { readonly name: 'next_hand' | 'mute_all' | 'end' }
  | { readonly name: 'rename' | 'set_title'; readonly to: string }
  | { readonly name: 'publish'; readonly sending: Sending }
  | { readonly name: 'chat'; readonly text: string }
  | { readonly name: 'delete_chat'; readonly chat: number }
  | { readonly name: 'react'; readonly reaction: Reaction; readonly times: number }
  | { readonly name: 'bring_up' | 'refuse_hand' | 'invite' | 'withdraw' | 'take_down'; readonly member: number }
  | { readonly name: 'remove' | 'ban' | 'hand_over'; readonly member: number }
  | { readonly name: 'mute' | 'ask_unmute'; readonly member: number; readonly media: Media }
  | { readonly name: 'allow'; readonly member: number; readonly right: PersonalRight; readonly allowed: boolean }
  | { readonly name: 'unban'; readonly user: string }
  | { readonly name: 'appoint'; readonly member: number; readonly role: Exclude<Role, 'host'> }
  | { readonly name: 'set_open'; readonly open: Open }
  | {
      readonly name: 'set_data';
      readonly track: Exclude<TrackName, 'own'>;
      readonly key: string;
      readonly value: string | null;
    }
  | { readonly name: 'focus'; readonly member: number | null };

/** A right that a host may give to, or take from, one member. */
export type PersonalRight = 'sound' | 'picture' | 'screen' | 'chat' | 'react' | 'draw' | 'hand';

/** From a client. */
export type Up =
  | { readonly type: 'join'; readonly v: typeof VERSION; readonly token: string; readonly name: string | null }
  | {
      readonly type: 'resume';
      readonly v: typeof VERSION;
      readonly token: string;
      readonly member: number;
      readonly seen: Seen;
    }
  | { readonly type: 'decline_call'; readonly v: typeof VERSION; readonly token: string }
  | { readonly type: 'command'; readonly n: number; readonly command: Command }
  | { readonly type: 'ping'; readonly t: number };

/** Reads one message of the server; undefined for a type that is not known here, which is to be passed over. */
export function parseDown(json: string): Down | undefined {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    throw new ShapeError('message: no JSON');
  }
  const type = text((value as { type?: unknown } | null)?.type, 'message.type');
  if (type !== 'delta' && type !== 'state') return down(value, 'message');
  ofTrack(value, 'message');
  if (type === 'delta') {
    const change = delta(value, 'message');
    return change && { type, delta: change };
  }
  const state = view(value, 'message');
  return state && { type, view: state };
}

/** Writes one message; undefined when it is longer than the server reads. */
export function writeUp(up: Up): string | undefined {
  const json = JSON.stringify(up);
  return new TextEncoder().encode(json).length <= MESSAGE_BYTES_MAX ? json : undefined;
}
