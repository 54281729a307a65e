//! What a member knows of its room: states of tracks, altered by numbered changes and by nothing else.

import type { Down, Seen, Welcome } from './messages.ts';
import type {
  All,
  AllChange,
  Datum,
  Delta,
  Hosts,
  HostsChange,
  Own,
  OwnChange,
  Person,
  Stage,
  StageChange,
  TrackName,
  View,
} from './tracks.ts';

interface Numbered<T> {
  readonly n: number;
  readonly state: T;
}

/** What to do after a message: nothing, or to resume, because a change is missing or not known here. */
export type Next = 'go on' | 'resume';

/** The tracks that this member reads. States are replaced, never altered: a page may compare them by identity. */
export class RoomState {
  all: Numbered<All> | undefined;
  stage: Numbered<Stage> | undefined;
  hosts: Numbered<Hosts> | undefined;
  own: Numbered<Own> | undefined;

  handleMessage(message: Down): Next {
    switch (message.type) {
      case 'welcome':
        return this.#greet(message);
      case 'state':
        this.#show(message.view);
        return 'go on';
      case 'hide':
        this[message.track] = undefined;
        return 'go on';
      case 'delta':
        return this.#follow(message.delta);
      case 'ack':
      case 'refused':
      case 'pong':
      case 'drain':
      case 'bye':
        return 'go on';
    }
  }

  /** For `resume`. A track that was given up is asked for whole. */
  seen(): Seen {
    const n = (track: TrackName): number | null => this[track]?.n ?? null;
    return { all: n('all'), stage: n('stage'), hosts: n('hosts'), own: n('own') };
  }

  #greet(welcome: Welcome): Next {
    for (const track of ['all', 'stage', 'hosts', 'own'] as const) {
      if (!welcome.tracks.includes(track)) this[track] = undefined;
    }
    for (const view of welcome.states) this.#show(view);
    return welcome.deltas.every((delta) => this.#follow(delta) === 'go on') ? 'go on' : 'resume';
  }

  #show(view: View): void {
    switch (view.track) {
      case 'all':
        this.all = { n: view.n, state: view.state };
        break;
      case 'stage':
        this.stage = { n: view.n, state: view.state };
        break;
      case 'hosts':
        this.hosts = { n: view.n, state: view.state };
        break;
      case 'own':
        this.own = { n: view.n, state: view.state };
        break;
    }
  }

  #follow(delta: Delta): Next {
    const now = this[delta.track];
    // Seen before: a change that was under way twice.
    if (now !== undefined && delta.n <= now.n) return 'go on';
    if (now === undefined || delta.n !== now.n + 1) return 'resume';
    if (delta.change === undefined) {
      this[delta.track] = undefined;
      return 'resume';
    }
    this.#apply(delta, delta.n);
    return 'go on';
  }

  #apply(delta: Delta, n: number): void {
    switch (delta.track) {
      case 'all':
        if (this.all && delta.change) this.all = { n, state: applyAll(this.all.state, delta.change) };
        break;
      case 'stage':
        if (this.stage && delta.change) this.stage = { n, state: applyStage(this.stage.state, delta.change) };
        break;
      case 'hosts':
        if (this.hosts && delta.change) this.hosts = { n, state: applyHosts(this.hosts.state, delta.change) };
        break;
      case 'own':
        if (this.own && delta.change) this.own = { n, state: applyOwn(this.own.state, delta.change) };
        break;
    }
  }
}

function applyAll(all: All, change: AllChange): All {
  switch (change.name) {
    case 'joined':
      return { ...all, members: [...all.members, change.person].sort((a, b) => a.id - b.id) };
    case 'left':
      return { ...all, members: all.members.filter(({ id }) => id !== change.member) };
    case 'renamed':
      return alter(all, change.member, { name: change.to });
    case 'role':
      return alter(all, change.member, { role: change.role });
    case 'away':
      return alter(all, change.member, { away: change.away });
    case 'audience':
      return { ...all, audience: change.count };
    case 'up':
      return { ...all, stage: [...all.stage, change.place] };
    case 'down':
      return { ...all, stage: all.stage.filter(({ member }) => member !== change.member) };
    case 'sending': {
      const { member, sending } = change;
      return { ...all, stage: all.stage.map((place) => (place.member === member ? { ...place, sending } : place)) };
    }
    case 'title':
      return { ...all, about: { ...all.about, title: change.to } };
    case 'open':
      return { ...all, open: change.open };
    case 'data':
      return { ...all, data: setDatum(all.data, change.key, change.value) };
    case 'focus':
      return { ...all, focus: change.member };
    case 'said': {
      const chat = [...all.chat, change.said];
      return { ...all, chat: chat.slice(Math.max(0, chat.length - all.about.chat_kept)) };
    }
    case 'unsaid':
      return { ...all, chat: all.chat.filter(({ id }) => id !== change.chat) };
    case 'reacted':
      return { ...all, reactions: change.counts.reduce(addCount, all.reactions) };
    case 'ringing':
      return { ...all, ringing_until: change.until };
    case 'host_away':
      return { ...all, host_until: change.until };
    case 'ended':
      return { ...all, ended: change.ended };
  }
}

function applyStage(stage: Stage, change: StageChange): Stage {
  switch (change.name) {
    case 'opened':
      return { ...stage, broadcasts: [...stage.broadcasts, change.broadcast] };
    case 'closed':
      return { ...stage, broadcasts: stage.broadcasts.filter(({ member }) => member !== change.member) };
    case 'data':
      return { ...stage, data: setDatum(stage.data, change.key, change.value) };
  }
}

function applyHosts(hosts: Hosts, change: HostsChange): Hosts {
  switch (change.name) {
    case 'hand_up':
      return { ...hosts, hands: [...hosts.hands, change.hand] };
    case 'hand_down':
      return { ...hosts, hands: hosts.hands.filter(({ member }) => member !== change.member) };
    case 'invited':
      return { ...hosts, invitations: [...hosts.invitations, change.invitation] };
    case 'uninvited':
      return { ...hosts, invitations: hosts.invitations.filter(({ member }) => member !== change.member) };
    case 'banned':
      return { ...hosts, bans: [...hosts.bans, change.ban] };
    case 'unbanned':
      return { ...hosts, bans: hosts.bans.filter(({ user }) => user !== change.user) };
    case 'data':
      return { ...hosts, data: setDatum(hosts.data, change.key, change.value) };
  }
}

function applyOwn(own: Own, change: OwnChange): Own {
  switch (change.name) {
    case 'renamed':
      return { ...own, name: change.to };
    case 'role':
      return { ...own, role: change.role };
    case 'listed':
      return { ...own, listed: change.listed };
    case 'away':
      return { ...own, away_until: change.until };
    case 'hand':
      return { ...own, hand: change.hand };
    case 'invited':
      return { ...own, invited_until: change.until };
    case 'asked':
      return { ...own, asked: [...own.asked, change.media] };
    case 'asked_no_more':
      return { ...own, asked: own.asked.filter((media) => media !== change.media) };
    case 'allowed': {
      const others = own.exceptions.filter(({ right }) => right !== change.exception.right);
      return { ...own, exceptions: [...others, change.exception] };
    }
    case 'chat_refused':
      return own;
  }
}

function alter(all: All, member: number, fields: Partial<Person>): All {
  return { ...all, members: all.members.map((person) => (person.id === member ? { ...person, ...fields } : person)) };
}

function addCount(counts: All['reactions'], more: All['reactions'][number]): All['reactions'] {
  if (!counts.some(({ reaction }) => reaction === more.reaction)) return [...counts, more];
  return counts.map((count) => (count.reaction === more.reaction ? { ...count, count: count.count + more.count } : count));
}

function setDatum(data: readonly Datum[], key: string, value: string | null): readonly Datum[] {
  const others = data.filter((datum) => datum.key !== key);
  if (value === null) return others;
  // Keys are ASCII: the order of UTF-16 units is that of bytes.
  return [...others, { key, value }].sort((a, b) => (a.key < b.key ? -1 : 1));
}
