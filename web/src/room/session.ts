//! A member in its room: what the connection says and what the media does, held together. It sends what the person
//! wants and may, stops when a host says so, and never switches anything on by itself that was not asked for.

import type { Notice } from '../publish/notices.ts';
import type { Refusal } from '../publish/refusals.ts';
import type { Target } from '../publish/settings.ts';
import { Connection, type Phase } from './connection.ts';
import { LeadSpeaker } from './layout.ts';
import { type Devices, type MediaPlace, RoomMedia } from './media.ts';
import type { Answer } from './commands.ts';
import type { Command } from './messages.ts';
import type { RoomNotice } from './notices.ts';
import { type Right, may } from './rights.ts';
import { Taps } from './taps.ts';
import type { All, Delta, Hosts, Media, Own, Person, Place, Reaction, Sending } from './tracks.ts';
import { dialWebSocket, socketUrl } from './wire.ts';

export interface SessionOptions {
  /** The room's WebSocket, absolute. */
  readonly url: string;
  readonly token: string;
  readonly name: string | null;
  readonly target: (template: string) => Target;
  readonly devices: Devices;
  /** What is to be sent once there is a place on the stage. */
  readonly wants: { readonly sound: boolean; readonly picture: boolean };
}

export interface SessionListener {
  handleChange(): void;
  handleDelta(delta: Delta): void;
  handleNotice(notice: RoomNotice): void;
}

const NOTHING: Sending = { sound: false, picture: false, screen: false };
/** Louder than a quiet room, of 100. */
const SPEAKS = 5;
const TICK_MS = 250;
const SETTLED_MS = 1_000;

export class RoomSession {
  readonly connection: Connection;
  readonly #options: SessionOptions;
  readonly #listener: SessionListener;
  readonly #lead = new LeadSpeaker();
  readonly #ticker = setInterval(() => this.#tick(), TICK_MS);
  #media: RoomMedia | undefined;
  #wants: { readonly sound: boolean; readonly picture: boolean };
  /** Changes of what is sent that are under way: the state of the room is behind them. */
  #busy = 0;
  #wasUp = false;
  #inMs = Infinity;
  #isSpeaking = false;
  #lowersHand = false;
  readonly #taps = new Taps((command) => void this.command(command));

  constructor(options: SessionOptions, listener: SessionListener) {
    this.#options = options;
    this.#listener = listener;
    this.#wants = options.wants;
    const { url, token, name } = options;
    this.connection = new Connection(
      { url: socketUrl(url, url), token, name, dial: dialWebSocket },
      {
        handlePhase: (phase) => this.#handlePhase(phase),
        handleState: () => this.#handleState(),
        handleDelta: (delta) => this.#handleDelta(delta),
      },
    );
  }

  get phase(): Phase {
    return this.connection.phase;
  }

  get media(): RoomMedia | undefined {
    return this.#media;
  }

  get all(): All | undefined {
    return this.connection.state.all?.state;
  }

  get own(): Own | undefined {
    return this.connection.state.own?.state;
  }

  /** Only hosts and co-hosts read it. */
  get hosts(): Hosts | undefined {
    return this.connection.state.hosts?.state;
  }

  get place(): Place | undefined {
    const id = this.own?.id;
    return this.all?.stage.find(({ member }) => member === id);
  }

  /** What the others get of one, as the room has it. */
  get sending(): Sending {
    return this.place?.sending ?? NOTHING;
  }

  /** What is sent, or will be once there is a place on the stage. */
  get wants(): { readonly sound: boolean; readonly picture: boolean } {
    return this.#wants;
  }

  get leadSpeaker(): number | undefined {
    return this.#lead.member;
  }

  get isSpeaking(): boolean {
    return this.#isSpeaking;
  }

  may(right: Right): boolean {
    const { own, all } = this;
    return own !== undefined && all !== undefined && may(own, all, right);
  }

  personOf(member: number): Person | undefined {
    return this.all?.members.find(({ id }) => id === member);
  }

  isSpeakingNow(member: number): boolean {
    if (member === this.own?.id) return this.#isSpeaking;
    return this.#media?.down?.slots?.speakers.some((speaker) => speaker.member === member) ?? false;
  }

  /** Tells of a refusal, so that nobody presses a button in vain. */
  async command(command: Command): Promise<Answer> {
    const answer = await this.connection.command(command);
    if (!answer.ok && this.phase.kind !== 'over') {
      this.#listener.handleNotice({ kind: 'refused', code: answer.code, sentence: answer.sentence });
    }
    return answer;
  }

  async setSound(on: boolean): Promise<void> {
    this.#wants = { ...this.#wants, sound: on };
    // Silent at once, whatever the way to the server is like.
    if (!on) this.#media?.setHeard(false);
    await this.#send();
  }

  async setPicture(on: boolean): Promise<void> {
    this.#wants = { ...this.#wants, picture: on };
    await this.#send();
  }

  /** To be called from a gesture, or the browser does not ask. */
  async setScreen(on: boolean): Promise<void> {
    const media = this.#media;
    if (media === undefined) return;
    this.#busy += 1;
    const isDone = on ? await media.share() : (media.unshare(), true);
    this.#busy -= 1;
    if (isDone) await this.#send();
  }

  react(reaction: Reaction): void {
    this.#taps.handleTap(reaction);
  }

  async lowerHand(): Promise<void> {
    this.#lowersHand = true;
    await this.command({ name: 'lower_hand' });
    this.#lowersHand = false;
  }

  async choose(devices: Devices): Promise<void> {
    await this.#media?.choose(devices);
  }

  hurry(): void {
    this.connection.hurry();
    this.#media?.hurry();
  }

  leave(): void {
    this.connection.leave();
  }

  close(): void {
    clearInterval(this.#ticker);
    if (this.phase.kind !== 'over') this.connection.leave();
    this.#media?.leave();
  }

  #handlePhase(phase: Phase): void {
    if (phase.kind === 'in') this.#inMs = Math.min(this.#inMs, performance.now());
    // The place is gone, or one has left it.
    if (phase.kind === 'over') this.#media?.leave();
    this.#listener.handleChange();
  }

  #handleState(): void {
    this.#followStage();
    this.#obey();
    this.#listener.handleChange();
  }

  /** Up: connect and begin with what is wanted. Down: everything goes off. */
  #followStage(): void {
    const { all, own } = this;
    if (all === undefined || own === undefined) return;
    const isUp = this.place !== undefined;
    if (!isUp) {
      if (this.#media?.place !== undefined) this.#media.leave();
      if (this.#wasUp && all.ended === null) this.#listener.handleNotice({ kind: 'down' });
      this.#wasUp = false;
      return;
    }
    const path = this.connection.state.stage?.state.broadcasts.find(({ member }) => member === own.id)?.path;
    if (path === undefined) return;
    this.#media ??= new RoomMedia(this.#options.target(all.about.template), this.#options.devices, this.#mediaListener);
    const place = this.#placeOf(own.id, path);
    if (this.#media.place?.whip === place.whip) return;
    // Where everybody goes up at once, the place follows the welcome by a moment: that is nothing to tell.
    const isNews = !this.#wasUp && performance.now() - this.#inMs >= SETTLED_MS;
    if (isNews) this.#listener.handleNotice({ kind: 'up' });
    this.#wasUp = true;
    this.#media.enter(place);
    // What was wanted before there was a place: the choice of who joined, raised a hand or accepted.
    this.#wants = { sound: this.#wants.sound && this.may('sound'), picture: this.#wants.picture && this.may('picture') };
    void this.#send();
  }

  #placeOf(member: number, path: string): MediaPlace {
    const base = new URL(this.#options.url);
    base.protocol = base.protocol.replace('ws', 'http');
    const stage = new URL(base);
    stage.pathname = base.pathname.replace(/\/ws$/, '/stage');
    stage.search = `?member=${member}`;
    const whip = new URL(`/${path.split('/').map(encodeURIComponent).join('/')}/whip`, base);
    return { member, token: this.#options.token, whip: whip.href, stage: stage.href };
  }

  /** Opens what is wanted, and tells the room what is sent from now on. */
  async #send(): Promise<void> {
    const media = this.#media;
    const place = media?.place;
    if (media === undefined || place === undefined) return;
    this.#busy += 1;
    await media.open({ camera: this.#wants.picture, microphone: this.#wants.sound });
    // Meanwhile a person may have been asked, and the place be gone.
    const isHere = media.place === place && this.place !== undefined;
    if (isHere) await this.#say(media);
    this.#busy -= 1;
    if (this.#busy === 0) this.#obey();
    this.#listener.handleChange();
  }

  async #say(media: RoomMedia): Promise<void> {
    // What the browser did not give is not wanted again without being asked for.
    this.#wants = { sound: this.#wants.sound && media.hasMicrophone, picture: this.#wants.picture && media.hasCamera };
    const { sound, picture, screen } = this.sending;
    const sending = { ...this.#wants, screen: media.isSharing };
    if (sound !== sending.sound || picture !== sending.picture || screen !== sending.screen) {
      const answer = await this.command({ name: 'publish', sending });
      if (!answer.ok) return this.#takeBack(media);
    }
    // Heard only once the room knows of it: nobody is to be surprised.
    media.setHeard(this.#wants.sound && this.sending.sound);
  }

  /** Refused: what the room does not know of is not sent. */
  #takeBack(media: RoomMedia): void {
    const { sound, picture, screen } = this.sending;
    this.#wants = { sound: this.#wants.sound && sound, picture: this.#wants.picture && picture };
    media.setHeard(this.#wants.sound);
    if (!screen && media.isSharing) media.unshare();
    void media.open({ camera: this.#wants.picture, microphone: this.#wants.sound });
  }

  /** What a host switched off goes off. While we are saying something ourselves, the room is behind us. */
  #obey(): void {
    const media = this.#media;
    if (media?.place === undefined || this.place === undefined || this.#busy > 0) return;
    const { sound, picture, screen } = this.sending;
    const stop = (what: Media): void => this.#listener.handleNotice({ kind: 'muted', media: what });
    if (!sound && media.isHeard) {
      this.#wants = { ...this.#wants, sound: false };
      media.setHeard(false);
      stop('sound');
    }
    if (!screen && media.isSharing) {
      media.unshare();
      stop('screen');
    }
    if (!picture && media.hasCamera && this.#wants.picture) {
      this.#wants = { ...this.#wants, picture: false };
      void media.open({ camera: false, microphone: this.#wants.sound });
      stop('picture');
    }
  }

  #handleDelta(delta: Delta): void {
    const { change } = delta;
    if (delta.track === 'own' && change?.name === 'hand' && change.hand === null) this.#handleHandDown();
    if (delta.track === 'own' && change?.name === 'chat_refused') this.#listener.handleNotice({ kind: 'chat-refused' });
    if (delta.track === 'hosts' && change?.name === 'hand_up') {
      this.#listener.handleNotice({ kind: 'hand', name: this.personOf(change.hand.member)?.name ?? change.hand.by });
    }
    if (delta.track === 'all' && change?.name === 'down') this.#lead.handleDown(change.member);
    this.#listener.handleDelta(delta);
  }

  /** A hand that goes down because one comes up is followed by that at once. */
  #handleHandDown(): void {
    if (this.#lowersHand) return;
    setTimeout(() => {
      if (this.place === undefined && this.phase.kind === 'in') this.#listener.handleNotice({ kind: 'hand-refused' });
    }, TICK_MS);
  }

  #tick(): void {
    const loudest = this.#media?.down?.slots?.speakers.find(({ member }) => member !== this.own?.id)?.member;
    const isOther = this.#lead.handleLoudest(loudest, performance.now());
    const isSpeaking = (this.#media?.volume ?? 0) >= SPEAKS;
    if (!isOther && isSpeaking === this.#isSpeaking) return;
    this.#isSpeaking = isSpeaking;
    this.#listener.handleChange();
  }

  readonly #mediaListener = {
    handleChange: (): void => this.#listener.handleChange(),
    handleNotice: (notice: Notice): void => {
      this.#listener.handleNotice({ kind: 'sending', notice });
      if (notice === 'screen-ended') void this.#send();
    },
    handleRefusal: (refusal: Refusal): void => this.#listener.handleNotice({ kind: 'device', refusal }),
  };
}
