//! The tracks of a room as its members read them: states and changes, as docs/signalling.md specifies them.

import { type Shaped, flag, int, list, nullable, object, oneOf, tagged, text } from './shape.ts';

export const role = oneOf('guest', 'cohost', 'host');
export const media = oneOf('sound', 'picture', 'screen');
export const reaction = oneOf('like', 'love', 'laugh', 'wow', 'sad', 'clap', 'flower', 'rocket');
export const sending = object({ sound: flag, picture: flag, screen: flag });
export const open = object({ door: flag, chat: flag, hands: flag });
export const trackName = oneOf('all', 'stage', 'hosts', 'own');
const person = object({ id: int, name: text, role, away: flag, info: text });
const place = object({ member: int, since: int, sending });
const said = object({ id: int, member: int, by: text, at: int, text });
const count = object({ reaction, count: int });
const datum = object({ key: text, value: text });
// Rights and reasons grow with versions; what a page does not know it shows in no special way.
const ended = object({ reason: text, at: int });
const broadcast = object({ member: int, path: text });
const hand = object({ member: int, by: text, since: int, until: int });
const invitation = object({ member: int, until: int });
const ban = object({ user: text, known_as: text, at: int });
const ownHand = object({ until: int, ahead: int });
const exception = object({ right: text, allowed: flag });

const all = object({
  about: object({ title: text, template: text, born: int, chat_kept: int }),
  open,
  members: list(person),
  audience: int,
  stage: list(place),
  chat: list(said),
  reactions: list(count),
  data: list(datum),
  focus: nullable(int),
  ringing_until: nullable(int),
  host_until: nullable(int),
  ended: nullable(ended),
});
const stage = object({ broadcasts: list(broadcast), data: list(datum) });
const hosts = object({ hands: list(hand), invitations: list(invitation), bans: list(ban), data: list(datum) });
const own = object({
  id: int,
  user: text,
  name: text,
  role,
  info: text,
  listed: flag,
  away_until: nullable(int),
  hand: nullable(ownHand),
  invited_until: nullable(int),
  asked: list(media),
  exceptions: list(exception),
});

const setDatum = { key: text, value: nullable(text) };
const until = nullable(int);

const allChange = tagged('name', {
  joined: { person },
  left: { member: int },
  renamed: { member: int, to: text },
  role: { member: int, role },
  away: { member: int, away: flag },
  audience: { count: int },
  up: { place },
  down: { member: int },
  sending: { member: int, sending },
  title: { to: text },
  open: { open },
  data: setDatum,
  focus: { member: nullable(int) },
  said: { said },
  unsaid: { chat: int },
  reacted: { counts: list(count) },
  ringing: { until },
  host_away: { until },
  ended: { ended },
});
const stageChange = tagged('name', { opened: { broadcast }, closed: { member: int }, data: setDatum });
const hostsChange = tagged('name', {
  hand_up: { hand },
  hand_down: { member: int },
  invited: { invitation },
  uninvited: { member: int },
  banned: { ban },
  unbanned: { user: text },
  data: setDatum,
});
const ownChange = tagged('name', {
  renamed: { to: text },
  role: { role },
  listed: { listed: flag },
  away: { until },
  hand: { hand: nullable(ownHand) },
  invited: { until },
  asked: { media },
  asked_no_more: { media },
  allowed: { exception },
  chat_refused: { chat: int },
});

/** A state of a track, under the number of changes that made it. */
export const view = tagged('track', {
  all: { n: int, state: all },
  stage: { n: int, state: stage },
  hosts: { n: int, state: hosts },
  own: { n: int, state: own },
});

/** A change of a track, under its number. The change is undefined when this version does not know it. */
export const delta = tagged('track', {
  all: { n: int, change: allChange },
  stage: { n: int, change: stageChange },
  hosts: { n: int, change: hostsChange },
  own: { n: int, change: ownChange },
});

export type Role = Shaped<typeof role>;
export type Media = Shaped<typeof media>;
export type Reaction = Shaped<typeof reaction>;
export type Sending = Shaped<typeof sending>;
export type Open = Shaped<typeof open>;
export type TrackName = Shaped<typeof trackName>;
export type Person = Shaped<typeof person>;
export type Place = Shaped<typeof place>;
export type Said = Shaped<typeof said>;
export type Datum = Shaped<typeof datum>;
export type All = Shaped<typeof all>;
export type Stage = Shaped<typeof stage>;
export type Hosts = Shaped<typeof hosts>;
export type Own = Shaped<typeof own>;
export type AllChange = NonNullable<Shaped<typeof allChange>>;
export type StageChange = NonNullable<Shaped<typeof stageChange>>;
export type HostsChange = NonNullable<Shaped<typeof hostsChange>>;
export type OwnChange = NonNullable<Shaped<typeof ownChange>>;
export type View = NonNullable<Shaped<typeof view>>;
export type Delta = NonNullable<Shaped<typeof delta>>;
