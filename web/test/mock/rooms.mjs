//! A stand-in for the rooms of the server: it speaks the signalling of docs/signalling.md to as many members as join,
//! from the states of the golden messages, and keeps what a test has to see. Of the rules of a room it knows those that
//! the pages show: places, hands, invitations, muting, chat, roles, and the end.

import { readFileSync } from 'node:fs';

const GOLDEN = JSON.parse(readFileSync(new URL('../../../docs/signalling/down.json', import.meta.url), 'utf8'));
const WELCOME = GOLDEN.find(({ message }) => message.type === 'welcome').message;
const ALL = WELCOME.states.find(({ track }) => track === 'all').state;
const OWN = WELCOME.states.find(({ track }) => track === 'own').state;
const UP_ON_JOIN = { call: 'everybody', meeting: 'everybody', 'class-small': 'everybody', 'class-large': 'host', show: 'hosts' };
const SILENT = { sound: false, picture: false, screen: false };
const RING_MS = 45_000;

/** The rooms of a mock: `get` makes one where there is none, of the template that its name begins with. */
export class Rooms {
  #rooms = new Map();

  open(id, template) {
    const room = new Room(id, template);
    this.#rooms.set(id, room);
    return room;
  }

  find(id) {
    return this.#rooms.get(id);
  }

  /** A token that says who it is: the stand-in's are readable JSON. */
  static token(claims) {
    return Buffer.from(JSON.stringify(claims)).toString('base64url');
  }
}

class Room {
  /** Commands of everybody, as they came: `{member, command}`. */
  heard = [];
  /** While set, sockets are refused: the server is away. */
  isAway = false;
  #seats = new Map();
  #chats = 0;

  constructor(id, template) {
    this.id = id;
    this.all = { ...structuredClone(ALL), about: { ...ALL.about, template, born: Date.now() }, members: [], stage: [], chat: [] };
    this.n = 0;
    this.stage = { n: 0, state: { broadcasts: [], data: [] } };
    this.hosts = { n: 0, state: { hands: [], invitations: [], bans: [], data: [] } };
    this.log = { all: [], stage: [], hosts: [] };
  }

  /** Takes a WebSocket of the library `ws`. */
  accept(socket) {
    if (this.isAway) return socket.terminate();
    let seat;
    socket.on('message', (data) => {
      const message = JSON.parse(String(data));
      if (message.type === 'join') seat = this.#join(socket, message);
      else if (message.type === 'resume') seat = this.#resume(socket, message);
      else if (message.type === 'decline_call') this.end('call_declined');
      else if (message.type === 'ping') tell(socket, { type: 'pong', t: message.t, received_us: nowUs(), sent_us: nowUs() });
      else if (message.type === 'command' && seat !== undefined) this.#answer(seat, message);
    });
    socket.on('close', () => seat?.socket === socket && this.#lose(seat));
  }

  /** The sockets break as when a network goes; members keep their places. */
  cut() {
    for (const { socket } of this.#seats.values()) socket?.terminate();
  }

  /** Somebody who has no browser: for a room with others in it. */
  addGhost(name, { role = 'guest', up = false, sending = SILENT } = {}) {
    const seat = this.#seat({ name, role, sub: name }, undefined);
    if (up) {
      this.#up(seat.id);
      this.put('all', { name: 'sending', member: seat.id, sending });
    }
    return seat.id;
  }

  /** As the host does it to a hand that is up. */
  bringUp(id) {
    this.#up(id);
  }

  takeDown(id) {
    this.#down(id);
  }

  /** A ghost raises its hand. */
  raise(id) {
    this.#do(this.#seats.get(id), { name: 'raise_hand' });
  }

  end(reason) {
    this.put('all', { name: 'ended', ended: { reason, at: Date.now() } });
    for (const seat of this.#seats.values()) this.#bye(seat, reason);
  }

  /** One change, to whoever reads its track. */
  put(track, change) {
    const state = track === 'all' ? this : this[track];
    state.n += 1;
    // What is told stays as it was told: states go on changing.
    const delta = structuredClone({ track, n: state.n, change });
    this.log[track].push(delta);
    if (track === 'all') applyAll(this.all, change);
    else applyOther(this[track].state, change);
    for (const seat of this.#seats.values()) if (this.#reads(seat, track)) seat.tell({ type: 'delta', ...delta });
  }

  putOwn(id, change) {
    const seat = this.#seats.get(id);
    if (seat === undefined) return;
    seat.n += 1;
    const delta = { track: 'own', n: seat.n, change };
    seat.log.push(delta);
    if (change.name === 'asked') seat.own.asked.push(change.media);
    else if (change.name === 'asked_no_more') seat.own.asked = seat.own.asked.filter((media) => media !== change.media);
    else if (change.name === 'invited') seat.own.invited_until = change.until;
    else if (change.name === 'hand') seat.own.hand = change.hand;
    else if (change.name === 'role') seat.own.role = change.role;
    else if (change.name === 'renamed') seat.own.name = change.to;
    else if (change.name === 'allowed') seat.own.exceptions = [...seat.own.exceptions.filter(({ right }) => right !== change.exception.right), change.exception];
    seat.tell({ type: 'delta', ...delta });
  }

  #join(socket, { token, name }) {
    const claims = JSON.parse(Buffer.from(token, 'base64url').toString());
    const refuse = (code) => void (tell(socket, { type: 'refused', n: null, code, sentence: `refused: ${code}` }), socket.close());
    if (claims.room !== this.id) return refuse('wrong_room');
    if (this.all.ended !== null) return refuse('ended');
    if (!this.all.open.door && claims.role === 'guest') return refuse('locked');
    if (this.hosts.state.bans.some(({ user }) => user === claims.sub)) return refuse('banned');
    const seat = this.#seat({ ...claims, name: claims.name ?? name ?? 'guest' }, undefined);
    const rings = this.all.about.template === 'call';
    if (rings && seat.id === 1) this.all.ringing_until = Date.now() + RING_MS;
    const policy = UP_ON_JOIN[this.all.about.template];
    if (policy === 'everybody' || seat.role === 'host' || (policy === 'hosts' && seat.role === 'cohost')) this.#up(seat.id);
    // What coming in brings about is in the first state, not told after it.
    seat.socket = socket;
    const welcome = { ...WELCOME, room: this.id, member: seat.id, now: Date.now(), answered: 0, deltas: [] };
    tell(socket, { ...welcome, tracks: this.#tracks(seat), states: this.#tracks(seat).map((track) => this.#view(seat, track)) });
    if (rings && seat.id === 2) this.put('all', { name: 'ringing', until: null });
    return seat;
  }

  #seat({ name, role, sub }, socket) {
    const id = this.#seats.size + 1;
    const own = { ...structuredClone(OWN), id, user: sub, name, role };
    const seat = { id, user: sub, role, own, n: 1, log: [], socket, answered: 0, tell: (message) => seat.socket !== undefined && tell(seat.socket, message) };
    this.#seats.set(id, seat);
    this.put('all', { name: 'joined', person: { id, name, role, away: false, info: '' } });
    return seat;
  }

  #resume(socket, { member, seen }) {
    const seat = this.#seats.get(member);
    if (seat === undefined) return void (tell(socket, { type: 'refused', n: null, code: 'unknown_member', sentence: 'there is no such member in this room' }), socket.close());
    seat.socket = socket;
    const tracks = this.#tracks(seat);
    const logs = { ...this.log, own: seat.log };
    const states = tracks.filter((track) => seen[track] === null).map((track) => this.#view(seat, track));
    const deltas = tracks.filter((track) => seen[track] !== null).flatMap((track) => logs[track].filter(({ n }) => n > seen[track]));
    tell(socket, { ...WELCOME, room: this.id, member, now: Date.now(), answered: seat.answered, tracks, states, deltas });
    this.put('all', { name: 'away', member, away: false });
    return seat;
  }

  #lose(seat) {
    seat.socket = undefined;
    this.put('all', { name: 'away', member: seat.id, away: true });
  }

  #bye(seat, reason) {
    seat.tell({ type: 'bye', reason, sentence: `goodbye: ${reason}` });
    seat.socket?.close();
    seat.socket = undefined;
  }

  #leave(seat, reason) {
    if (this.all.stage.some(({ member }) => member === seat.id)) this.#down(seat.id);
    this.#bye(seat, reason);
    this.#seats.delete(seat.id);
    this.put('all', { name: 'left', member: seat.id });
    if (this.all.about.template === 'call') this.end('hung_up');
  }

  #tracks(seat) {
    const isUp = this.all.stage.some(({ member }) => member === seat.id);
    const leads = seat.role !== 'guest';
    return ['all', ...(isUp || leads ? ['stage'] : []), ...(leads ? ['hosts'] : []), 'own'];
  }

  #reads(seat, track) {
    return this.#tracks(seat).includes(track);
  }

  #view(seat, track) {
    if (track === 'own') return { track, n: seat.n, state: seat.own };
    if (track === 'all') return { track, n: this.n, state: this.all };
    return { track, ...this[track] };
  }

  #up(id) {
    const seat = this.#seats.get(id);
    const before = this.#tracks(seat);
    this.#lower(id);
    this.put('all', { name: 'up', place: { member: id, since: Date.now(), sending: SILENT } });
    if (!before.includes('stage')) seat.tell({ type: 'state', ...this.#view(seat, 'stage') });
    this.put('stage', { name: 'opened', broadcast: { member: id, path: `room/${this.id}/${id}` } });
  }

  #down(id) {
    this.put('all', { name: 'down', member: id });
    this.put('stage', { name: 'closed', member: id });
    const seat = this.#seats.get(id);
    if (seat !== undefined && !this.#reads(seat, 'stage')) seat.tell({ type: 'hide', track: 'stage' });
  }

  #lower(id) {
    if (!this.hosts.state.hands.some(({ member }) => member === id)) return;
    this.put('hosts', { name: 'hand_down', member: id });
    this.putOwn(id, { name: 'hand', hand: null });
  }

  #answer(seat, { n, command }) {
    seat.answered = Math.max(seat.answered, n);
    this.heard.push({ member: seat.id, command });
    const code = this.refuses?.(seat.id, command) ?? this.#do(seat, command);
    seat.tell(code === undefined ? { type: 'ack', n } : { type: 'refused', n, code, sentence: `refused: ${code}` });
  }

  /** The code of the refusal; undefined when it is done. */
  #do(seat, command) {
    const place = (id) => this.all.stage.find(({ member }) => member === id);
    switch (command.name) {
      case 'leave':
        this.#leave(seat, 'left');
        return undefined;
      case 'publish':
        if (place(seat.id) === undefined) return 'not_on_stage';
        if (command.sending.screen && this.all.stage.some(({ member, sending }) => member !== seat.id && sending.screen)) return 'screen_taken';
        this.put('all', { name: 'sending', member: seat.id, sending: command.sending });
        for (const media of [...seat.own.asked]) if (command.sending[media]) this.putOwn(seat.id, { name: 'asked_no_more', media });
        return undefined;
      case 'chat':
        if (!this.all.open.chat && seat.role === 'guest') return 'chat_closed';
        this.#chats += 1;
        this.put('all', { name: 'said', said: { id: this.#chats, member: seat.id, by: seat.own.name, at: Date.now(), text: command.text } });
        return undefined;
      case 'delete_chat':
        this.put('all', { name: 'unsaid', chat: command.chat });
        return undefined;
      case 'react':
        this.put('all', { name: 'reacted', counts: [{ reaction: command.reaction, count: command.times }] });
        return undefined;
      case 'raise_hand': {
        if (!this.all.open.hands) return 'hands_closed';
        const until = Date.now() + 600_000;
        const ahead = this.hosts.state.hands.length;
        this.put('hosts', { name: 'hand_up', hand: { member: seat.id, by: seat.own.name, since: Date.now(), until } });
        this.putOwn(seat.id, { name: 'hand', hand: { until, ahead } });
        return undefined;
      }
      case 'lower_hand':
        this.#lower(seat.id);
        return undefined;
      case 'step_up':
        this.#up(seat.id);
        return undefined;
      case 'step_down':
        this.#down(seat.id);
        return undefined;
      case 'accept':
        this.#uninvite(seat.id);
        this.#up(seat.id);
        return undefined;
      case 'decline':
        this.#uninvite(seat.id);
        return undefined;
      case 'rename':
        this.put('all', { name: 'renamed', member: seat.id, to: command.to });
        this.putOwn(seat.id, { name: 'renamed', to: command.to });
        return undefined;
      default:
        return this.#lead(seat, command);
    }
  }

  #lead(seat, command) {
    if (seat.role === 'guest') return 'no_right';
    const other = this.#seats.get(command.member);
    switch (command.name) {
      case 'bring_up':
        if (!this.hosts.state.hands.some(({ member }) => member === command.member)) return 'no_hand';
        this.#up(command.member);
        return undefined;
      case 'next_hand': {
        const [first] = this.hosts.state.hands;
        if (first === undefined) return 'no_hand';
        this.#up(first.member);
        return undefined;
      }
      case 'refuse_hand':
        this.#lower(command.member);
        return undefined;
      case 'invite': {
        const until = Date.now() + 30_000;
        this.put('hosts', { name: 'invited', invitation: { member: command.member, until } });
        this.putOwn(command.member, { name: 'invited', until });
        return undefined;
      }
      case 'withdraw':
        this.#uninvite(command.member);
        return undefined;
      case 'take_down':
        this.#down(command.member);
        return undefined;
      case 'mute': {
        const { sending } = this.all.stage.find(({ member }) => member === command.member);
        this.put('all', { name: 'sending', member: command.member, sending: { ...sending, [command.media]: false } });
        return undefined;
      }
      case 'mute_all':
        for (const { member, sending } of this.all.stage) {
          if (this.#seats.get(member)?.role === 'guest' && sending.sound) this.put('all', { name: 'sending', member, sending: { ...sending, sound: false } });
        }
        return undefined;
      case 'ask_unmute':
        this.putOwn(command.member, { name: 'asked', media: command.media });
        return undefined;
      case 'allow':
        this.putOwn(command.member, { name: 'allowed', exception: { right: command.right, allowed: command.allowed } });
        return undefined;
      case 'remove':
        this.#leave(other, 'removed');
        return undefined;
      case 'ban':
        this.put('hosts', { name: 'banned', ban: { user: other.user, known_as: other.own.name, at: Date.now() } });
        this.#leave(other, 'banned');
        return undefined;
      case 'unban':
        this.put('hosts', { name: 'unbanned', user: command.user });
        return undefined;
      case 'appoint':
        other.role = command.role;
        this.put('all', { name: 'role', member: other.id, role: command.role });
        this.putOwn(other.id, { name: 'role', role: command.role });
        for (const track of ['hosts', 'stage']) if (this.#reads(other, track)) other.tell({ type: 'state', ...this.#view(other, track) });
        return undefined;
      case 'set_open':
        this.put('all', { name: 'open', open: command.open });
        return undefined;
      case 'set_title':
        this.put('all', { name: 'title', to: command.to });
        return undefined;
      case 'focus':
        this.put('all', { name: 'focus', member: command.member });
        return undefined;
      case 'end':
        this.end('ended_by_host');
        return undefined;
      default:
        return 'no_right';
    }
  }

  #uninvite(id) {
    this.put('hosts', { name: 'uninvited', member: id });
    this.putOwn(id, { name: 'invited', until: null });
  }
}

function applyAll(all, change) {
  const person = all.members.find(({ id }) => id === change.member);
  const place = all.stage.find(({ member }) => member === change.member);
  switch (change.name) {
    case 'joined':
      return void (all.members = [...all.members, change.person].sort((a, b) => a.id - b.id));
    case 'left':
      return void (all.members = all.members.filter(({ id }) => id !== change.member));
    case 'renamed':
      return void (person.name = change.to);
    case 'role':
      return void (person.role = change.role);
    case 'away':
      return void (person === undefined || (person.away = change.away));
    case 'audience':
      return void (all.audience = change.count);
    case 'up':
      return void (all.stage = [...all.stage, change.place]);
    case 'down':
      return void (all.stage = all.stage.filter(({ member }) => member !== change.member));
    case 'sending':
      return void (place.sending = change.sending);
    case 'title':
      return void (all.about = { ...all.about, title: change.to });
    case 'open':
      return void (all.open = change.open);
    case 'focus':
      return void (all.focus = change.member);
    case 'said':
      return void (all.chat = [...all.chat, change.said].slice(-all.about.chat_kept));
    case 'unsaid':
      return void (all.chat = all.chat.filter(({ id }) => id !== change.chat));
    case 'reacted':
      return undefined;
    case 'ringing':
      return void (all.ringing_until = change.until);
    case 'host_away':
      return void (all.host_until = change.until);
    case 'ended':
      return void (all.ended = change.ended);
    default:
      throw new Error(`the stand-in knows no change ${change.name}`);
  }
}

function applyOther(state, change) {
  const without = (list) => list.filter(({ member }) => member !== change.member);
  switch (change.name) {
    case 'opened':
      return void (state.broadcasts = [...state.broadcasts, change.broadcast]);
    case 'closed':
      return void (state.broadcasts = without(state.broadcasts));
    case 'hand_up':
      return void (state.hands = [...state.hands, change.hand]);
    case 'hand_down':
      return void (state.hands = without(state.hands));
    case 'invited':
      return void (state.invitations = [...without(state.invitations), change.invitation]);
    case 'uninvited':
      return void (state.invitations = without(state.invitations));
    case 'banned':
      return void (state.bans = [...state.bans, change.ban]);
    case 'unbanned':
      return void (state.bans = state.bans.filter(({ user }) => user !== change.user));
    default:
      throw new Error(`the stand-in knows no change ${change.name}`);
  }
}

function tell(socket, message) {
  socket.send(JSON.stringify(message));
}

function nowUs() {
  return Math.round((performance.timeOrigin + performance.now()) * 1_000);
}
