//! What a person shows and says: opens camera, microphone, screen or file as asked, keeps them through changes and
//! losses of devices, and makes of them the two tracks that are sent.

import type { PictureWish } from '../../publish/filters.ts';
import type { Notice } from '../../publish/notices.ts';
import type { Refusal } from '../../publish/refusals.ts';
import { type Target, captureSize } from '../../publish/settings.ts';
import { type CameraWish, type Captured, type MicrophoneWish, openBoth, openCamera, openFile, openMicrophone, openScreen } from './capture.ts';
import { Picture } from './picture.ts';
import { Sound, type VoiceWish } from './sound.ts';

export type Source = 'camera' | 'screen' | 'file';

export interface StudioWish {
  readonly source: Source;
  readonly target: Target;
  readonly wantsCamera: boolean;
  readonly wantsMicrophone: boolean;
  readonly cameraId: string | undefined;
  readonly microphoneId: string | undefined;
  readonly position: 'front' | 'back';
  readonly agc: boolean;
  readonly ans: boolean;
  readonly aec: boolean;
  /** For `source` file. */
  readonly file: Blob | string | undefined;
  readonly loop: boolean;
}

export interface StudioListener {
  handleTrack(kind: 'video' | 'audio', track: MediaStreamTrack): void;
  /** A camera was opened; its picture has this size. */
  handleCamera(width: number, height: number): void;
  handleRefusal(refusal: Refusal): void;
  handleNotice(notice: Notice): void;
  handleWaitingFailed(url: string): void;
  handleBgm(type: 'bgmstart' | 'bgmprogress' | 'bgmcomplete', detail: object): void;
}

type Kind = 'video' | 'audio';

export class Studio {
  readonly sound: Sound;
  readonly picture: Picture;
  readonly #listener: StudioListener;
  readonly #raw: Partial<Record<Kind, MediaStreamTrack>> = {};
  /** What we opened and have to close; a page's own stream stays the page's. */
  readonly #ours = new Set<MediaStreamTrack>();
  #wish: StudioWish;
  #given: MediaStream | undefined;
  #fileVideo: HTMLVideoElement | undefined;
  #isMuted = false;
  #closed = false;

  constructor(wish: StudioWish, listener: StudioListener) {
    this.#wish = wish;
    this.#listener = listener;
    this.sound = new Sound({
      handleSoundTrack: (track) => listener.handleTrack('audio', track),
      handleVoiceLost: () => listener.handleNotice('voice-lost'),
      handleBgm: (type, detail) => listener.handleBgm(type, detail),
    });
    this.picture = new Picture({
      handlePictureTrack: (track) => listener.handleTrack('video', track),
      handleNotice: (notice) => listener.handleNotice(notice),
      handleWaitingFailed: (url) => listener.handleWaitingFailed(url),
    });
    this.picture.configure(wish.target, wish.target.fps);
  }

  /** What the camera itself says: its size, what it can do. */
  get camera(): MediaStreamTrack | undefined {
    return this.#raw.video;
  }

  get microphone(): MediaStreamTrack | undefined {
    return this.#raw.audio;
  }

  /** Opens what is wished and not open. */
  async open(): Promise<void> {
    const { source, wantsCamera, wantsMicrophone, target, file, loop } = this.#wish;
    if (this.#given !== undefined) return;
    const missingCamera = wantsCamera && this.#raw.video === undefined;
    const missingMicrophone = wantsMicrophone && this.#raw.audio === undefined;
    if (source === 'screen' && missingCamera) this.#take(await openScreen(target.fps), 'video');
    if (source === 'file' && missingCamera && file !== undefined) await this.#openFile(file, loop);
    if (source === 'camera' && missingCamera && missingMicrophone) {
      const [video, audio] = await openBoth(this.#cameraWish(), this.#microphoneWish());
      this.#take(video, 'video');
      this.#take(audio, 'audio');
    } else {
      if (source === 'camera' && missingCamera) this.#take(await openCamera(this.#cameraWish()), 'video');
      if (source !== 'file' && wantsMicrophone && this.#raw.audio === undefined) {
        this.#take(await openMicrophone(this.#microphoneWish()), 'audio');
      }
    }
    if (!this.#closed) this.#ensurePicture();
  }

  /** Publishes this stream instead of anything captured; undefined goes back to capturing at the next `open`. */
  async give(stream: MediaStream | undefined): Promise<void> {
    this.#given = stream;
    if (stream === undefined) return;
    for (const kind of ['video', 'audio'] as const) {
      const track = stream.getTracks().find((each) => each.kind === kind);
      this.#drop(kind);
      if (track !== undefined) this.#use(track, kind, false);
    }
    this.#ensurePicture();
  }

  /** Takes over another wish; what it changes is opened anew while the former goes on until then. */
  async change(wish: StudioWish): Promise<void> {
    const before = this.#wish;
    this.#wish = wish;
    this.picture.configure(wish.target, wish.target.fps);
    if (this.#given !== undefined) return;
    const { source, cameraId, position, file } = before;
    const isOther = source !== wish.source || cameraId !== wish.cameraId || position !== wish.position || file !== wish.file;
    if (!wish.wantsCamera || isOther) this.#drop('video');
    const { microphoneId, agc, ans, aec } = before;
    const isOtherVoice = microphoneId !== wish.microphoneId || agc !== wish.agc || ans !== wish.ans || aec !== wish.aec;
    if (!wish.wantsMicrophone || isOtherVoice || source !== wish.source) this.#drop('audio');
    await this.open();
  }

  setPicture(wish: PictureWish, waitingImage: string): void {
    this.picture.setWish(wish);
    this.picture.setWaitingImage(waitingImage);
  }

  setVoice(wish: VoiceWish): void {
    this.sound.configure(wish);
  }

  set muted(muted: boolean) {
    this.#isMuted = muted;
    if (this.#raw.audio !== undefined) this.#raw.audio.enabled = !muted;
  }

  close(): void {
    this.#closed = true;
    this.#drop('video');
    this.#drop('audio');
    for (const track of this.#ours) track.stop();
    this.#ours.clear();
    this.#closeFile();
    this.picture.close();
    this.sound.close();
  }

  #take(captured: Captured, kind: Kind): void {
    if (!captured.ok) {
      if (!this.#closed) this.#listener.handleRefusal(captured.refusal);
      return;
    }
    if (this.#closed) {
      for (const track of captured.tracks) track.stop();
      return;
    }
    for (const track of captured.tracks) {
      const its = track.kind as Kind;
      // A screen brings its own sound, unless the microphone is wanted.
      const isWanted = its === kind || (this.#raw.audio === undefined && !this.#wish.wantsMicrophone);
      if (isWanted) this.#use(track, its, true);
      else track.stop();
    }
  }

  #use(track: MediaStreamTrack, kind: Kind, isOurs: boolean): void {
    this.#raw[kind] = track;
    if (isOurs) this.#ours.add(track);
    track.addEventListener('ended', () => void this.#handleEnded(track, kind));
    if (kind === 'audio') {
      track.enabled = !this.#isMuted;
      this.sound.setInput(track);
      return;
    }
    track.contentHint = this.#wish.source === 'screen' ? 'detail' : 'motion';
    this.picture.setSource(track);
    const { width = 0, height = 0 } = track.getSettings();
    this.#listener.handleCamera(width, height);
  }

  #drop(kind: Kind): void {
    const track = this.#raw[kind];
    delete this.#raw[kind];
    if (track === undefined) return;
    if (kind === 'video') this.picture.setSource(undefined);
    else this.sound.setInput(undefined);
    if (this.#ours.delete(track)) track.stop();
    if (kind === 'video') this.#closeFile();
  }

  /** A device was pulled out, or the person stopped sharing: another takes its place, or the waiting picture does. */
  async #handleEnded(track: MediaStreamTrack, kind: Kind): Promise<void> {
    if (this.#closed || this.#raw[kind] !== track) return;
    const isCamera = this.#wish.source === 'camera';
    this.#drop(kind);
    if (kind === 'video' && !isCamera) {
      this.#listener.handleNotice(this.#wish.source === 'screen' ? 'screen-ended' : 'file-ended');
      return;
    }
    const captured = kind === 'video'
      ? await openCamera({ ...this.#cameraWish(), deviceId: undefined })
      : await openMicrophone({ ...this.#microphoneWish(), deviceId: undefined });
    if (this.#raw[kind] !== undefined || this.#closed) return;
    if (captured.ok) this.#take(captured, kind);
    const name = kind === 'video' ? 'camera' : 'microphone';
    this.#listener.handleNotice(`${name}-${captured.ok ? 'switched' : 'lost'}`);
  }

  /** There is always a picture, or a later camera would have no place to go to. */
  #ensurePicture(): void {
    if (this.picture.track === undefined) this.picture.wait();
  }

  async #openFile(file: Blob | string, loop: boolean): Promise<void> {
    const opened = await openFile(file, loop);
    if ('video' in opened) this.#fileVideo = opened.video;
    this.#take(opened, 'video');
  }

  #closeFile(): void {
    if (this.#fileVideo === undefined) return;
    const { src } = this.#fileVideo;
    this.#fileVideo.pause();
    this.#fileVideo.removeAttribute('src');
    if (src.startsWith('blob:')) URL.revokeObjectURL(src);
    this.#fileVideo = undefined;
  }

  #cameraWish(): CameraWish {
    const { cameraId: deviceId, position, target } = this.#wish;
    const isPhoneUpright = matchMedia('(pointer: coarse) and (orientation: portrait)').matches;
    return { deviceId, position, fps: target.fps, ...captureSize(target, isPhoneUpright) };
  }

  #microphoneWish(): MicrophoneWish {
    const { microphoneId: deviceId, agc, ans, aec } = this.#wish;
    return { deviceId, agc, ans, aec };
  }
}
