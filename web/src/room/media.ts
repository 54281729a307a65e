//! The media of a member on the stage: one connection up with its sound and picture, one down with everybody else's.
//! They hang on the place on the stage and not on the signalling: a lost WebSocket leaves them as they are.

import { Broadcast, type BroadcastPhase } from '../elements/push/broadcast.ts';
import { openScreen } from '../elements/push/capture.ts';
import { Studio, type StudioListener, type StudioWish } from '../elements/push/studio.ts';
import type { Notice } from '../publish/notices.ts';
import type { Refusal } from '../publish/refusals.ts';
import { type Target, audioKbps, encodingsOf } from '../publish/settings.ts';
import { type StagePhase, StageSession } from './stage-session.ts';

/** Where the media of this member goes and comes from. */
export interface MediaPlace {
  readonly member: number;
  readonly whip: string;
  readonly stage: string;
  readonly token: string;
}

export interface Devices {
  readonly cameraId: string | undefined;
  readonly microphoneId: string | undefined;
  readonly position: 'front' | 'back';
}

export interface MediaListener {
  /** Anything that is shown is another: tracks, tiles, phases. */
  handleChange(): void;
  handleNotice(notice: Notice): void;
  handleRefusal(refusal: Refusal): void;
}

/** A connection that failed for good may have been refused a moment too early. */
const AGAIN_MS = 3_000;
/** Speech; music would want more. */
const QUALITY = 'high';

export class RoomMedia {
  readonly #target: Target;
  readonly #listener: MediaListener;
  #devices: Devices;
  #place: MediaPlace | undefined;
  #studio: Studio | undefined;
  #broadcast: Broadcast | undefined;
  #down: StageSession | undefined;
  #screen: MediaStreamTrack | undefined;
  #own: MediaStream | undefined;
  #again: ReturnType<typeof setTimeout> | undefined;
  #wants = { camera: false, microphone: false };
  #isHeard = false;
  #work: Promise<unknown> = Promise.resolve();
  #upPhase: BroadcastPhase = { kind: 'connecting' };
  #downPhase: StagePhase = { kind: 'connecting' };

  constructor(target: Target, devices: Devices, listener: MediaListener) {
    this.#target = target;
    this.#devices = devices;
    this.#listener = listener;
  }

  get place(): MediaPlace | undefined {
    return this.#place;
  }

  get down(): StageSession | undefined {
    return this.#down;
  }

  /** For statistics. */
  get up(): Broadcast | undefined {
    return this.#broadcast;
  }

  get upPhase(): BroadcastPhase {
    return this.#upPhase;
  }

  get downPhase(): StagePhase {
    return this.#downPhase;
  }

  get hasCamera(): boolean {
    return this.#studio?.camera !== undefined;
  }

  get hasMicrophone(): boolean {
    return this.#studio?.microphone !== undefined;
  }

  get isHeard(): boolean {
    return this.#isHeard && this.hasMicrophone;
  }

  get isSharing(): boolean {
    return this.#screen !== undefined;
  }

  /** Whether one's own picture is to be turned round, as in a mirror. */
  get isSelfie(): boolean {
    return !this.isSharing && this.#studio?.camera?.getSettings().facingMode !== 'environment';
  }

  /** How loud one is, 0 … 100. */
  get volume(): number {
    return this.isHeard ? (this.#studio?.sound.volume ?? 0) : 0;
  }

  /** What is sent of one's picture; undefined while there is none. */
  get own(): MediaStream | undefined {
    const track = this.#screen ?? (this.hasCamera ? this.#studio?.picture.track : undefined);
    if (track === undefined) return undefined;
    if (this.#own?.getVideoTracks()[0] !== track) this.#own = new MediaStream([track]);
    return this.#own;
  }

  /** A place on the stage: connects both ways. Devices stay off until they are asked for. */
  enter(place: MediaPlace): void {
    if (this.#place?.whip === place.whip && this.#place.token === place.token) return;
    this.leave();
    this.#place = place;
    this.#studio = new Studio(this.#wish(), this.#studioListener);
    this.#studio.muted = true;
    this.#studio.picture.wait();
    this.#publish();
    this.#down = new StageSession(
      { url: place.stage, token: place.token },
      {
        handlePhase: (phase) => {
          this.#downPhase = phase;
          this.#listener.handleChange();
        },
        handleChange: () => this.#listener.handleChange(),
      },
    );
  }

  /** No place any more: everything goes off. */
  leave(): void {
    if (this.#place === undefined) return;
    this.#place = undefined;
    clearTimeout(this.#again);
    this.#broadcast?.stop();
    this.#broadcast = undefined;
    this.#down?.close();
    this.#down = undefined;
    this.#endScreen();
    this.#studio?.close();
    this.#studio = undefined;
    this.#own = undefined;
    this.#wants = { camera: false, microphone: false };
    this.#isHeard = false;
    this.#upPhase = { kind: 'connecting' };
    this.#downPhase = { kind: 'connecting' };
    this.#listener.handleChange();
  }

  /** Opens what is wanted and not open, and closes the camera that is not; both at once ask a person once. */
  async open(wants: { readonly camera: boolean; readonly microphone: boolean }): Promise<void> {
    this.#wants = { camera: wants.camera, microphone: wants.microphone || this.#wants.microphone };
    await this.#change();
  }

  /** The microphone stays open while it is not heard: it is back at once. */
  setHeard(isHeard: boolean): void {
    this.#isHeard = isHeard;
    if (this.#studio !== undefined) this.#studio.muted = !isHeard;
    this.#listener.handleChange();
  }

  /** Asks the person what to show; false when nothing was chosen. To be called from a gesture. */
  async share(): Promise<boolean> {
    const captured = await openScreen(this.#target.fps);
    if (!captured.ok) {
      // To change one's mind is no failure.
      if (captured.refusal.kind !== 'denied') this.#listener.handleRefusal(captured.refusal);
      return false;
    }
    const screen = captured.tracks.find(({ kind }) => kind === 'video');
    for (const track of captured.tracks) if (track !== screen) track.stop();
    if (screen === undefined || this.#studio === undefined) {
      screen?.stop();
      return false;
    }
    this.#endScreen();
    screen.contentHint = 'detail';
    screen.addEventListener('ended', () => {
      if (this.#screen !== screen) return;
      this.unshare();
      this.#listener.handleNotice('screen-ended');
    });
    this.#screen = screen;
    this.#broadcast?.replace(screen);
    this.#listener.handleChange();
    return true;
  }

  unshare(): void {
    this.#endScreen();
    const track = this.#studio?.picture.track;
    if (track !== undefined) this.#broadcast?.replace(track);
    this.#listener.handleChange();
  }

  get devices(): Devices {
    return this.#devices;
  }

  /** Takes other devices; what is open is opened anew. */
  async choose(devices: Devices): Promise<void> {
    this.#devices = devices;
    await this.#change();
  }

  /** The network is another one, or the page is shown again. */
  hurry(): void {
    this.#broadcast?.hurry();
    this.#down?.hurry();
  }

  #change(): Promise<void> {
    const done = this.#work.then(async () => {
      await this.#studio?.change(this.#wish());
      this.#listener.handleChange();
    });
    this.#work = done.catch(() => undefined);
    return done;
  }

  #wish(): StudioWish {
    return {
      ...{ source: 'camera', target: this.#target, agc: true, ans: true, aec: true, file: undefined, loop: false },
      wantsCamera: this.#wants.camera,
      wantsMicrophone: this.#wants.microphone,
      ...this.#devices,
    };
  }

  #publish(): void {
    const [studio, place] = [this.#studio, this.#place];
    if (studio === undefined || place === undefined) return;
    const picture = this.#screen ?? studio.picture.track;
    const tracks = [studio.sound.track, ...(picture === undefined ? [] : [picture])];
    const plan = {
      ...{ url: place.whip, token: place.token, target: this.#target, audioKbps: audioKbps(QUALITY) },
      encodings: encodingsOf(this.#target, true),
      forever: () => true,
    };
    // It tells its first phase before there is anything to compare with.
    let broadcast: Broadcast | undefined;
    broadcast = new Broadcast(plan, tracks, {
      handlePhase: (phase) => broadcast === this.#broadcast && this.#handleUpPhase(phase),
      handleCode: () => undefined,
      handleNetstatus: () => undefined,
      handleNotice: (notice) => this.#listener.handleNotice(notice),
    });
    this.#broadcast = broadcast;
  }

  #handleUpPhase(phase: BroadcastPhase): void {
    this.#upPhase = phase;
    if (phase.kind === 'failed') {
      // While the place is there it is tried again: the server may have learned of the place after us.
      this.#again = setTimeout(() => this.#publish(), AGAIN_MS);
    }
    this.#listener.handleChange();
  }

  #endScreen(): void {
    const screen = this.#screen;
    this.#screen = undefined;
    screen?.stop();
  }

  readonly #studioListener: StudioListener = {
    handleTrack: (kind, track) => {
      if (kind === 'audio' || this.#screen === undefined) this.#broadcast?.replace(track);
      this.#listener.handleChange();
    },
    handleCamera: () => this.#listener.handleChange(),
    handleRefusal: (refusal) => this.#listener.handleRefusal(refusal),
    handleNotice: (notice) => this.#listener.handleNotice(notice),
    handleWaitingFailed: () => undefined,
    handleBgm: () => undefined,
  };
}
