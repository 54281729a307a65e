//! The picture that is sent: the camera's as it is while nothing is asked of it, else drawn anew with filters; or
//! the waiting picture while there is no camera.

import { type PictureWish, needsDrawing } from '../../publish/filters.ts';
import { type Effort, Governor } from '../../publish/governor.ts';
import type { Notice } from '../../publish/notices.ts';
import { type Frames, drawFrames } from './frames.ts';
import { Painter } from './painter.ts';
import { WaitingPicture } from './waiting.ts';

export interface PictureListener {
  /** Another track is to be sent. */
  handlePictureTrack(track: MediaStreamTrack): void;
  handleNotice(notice: Notice): void;
  handleWaitingFailed(url: string): void;
}

/** One frame in so many is waited for, to learn how long drawing takes: waiting itself holds the drawing up. */
const MEASURE_EVERY = 3;
/** A graphics context that is not back by then stays away. */
const LOST_MS = 5_000;
const NOTICES: Readonly<Record<Effort, Notice | undefined>> = {
  all: undefined,
  'no-beauty': 'beauty-off',
  'half-size': 'half-size',
  none: 'filters-off',
};

export class Picture {
  readonly #listener: PictureListener;
  #source: MediaStreamTrack | undefined;
  #wish: PictureWish = { beauty: 0, whiteness: 0, style: 'smooth', filter: 'standard', mirror: false };
  #isCovered = false;
  #size = { width: 360, height: 640 };
  #fps = 30;
  #waitingUrl = '';
  #waiting: WaitingPicture | undefined;
  #painter: Painter | undefined;
  #frames: Frames | undefined;
  #governor: Governor | undefined;
  #count = 0;
  #sent: MediaStreamTrack | undefined;

  constructor(listener: PictureListener) {
    this.#listener = listener;
  }

  /** What is to be sent now. */
  get track(): MediaStreamTrack | undefined {
    return this.#sent;
  }

  /** Whether what is sent is mirrored already, so that the preview need not be. */
  get isMirrored(): boolean {
    return this.#frames !== undefined && this.#wish.mirror;
  }

  /** What is left of the filters; undefined while there are none. */
  get effort(): Effort | undefined {
    return this.#governor?.effort;
  }

  /** Size and rate of what is sent when there is no camera; and of the filters' budget. */
  configure(size: { readonly width: number; readonly height: number }, fps: number): void {
    this.#size = size;
    this.#fps = fps;
  }

  setSource(track: MediaStreamTrack | undefined): void {
    if (track === this.#source) return;
    this.#source = track;
    this.#dropFrames();
    this.#choose();
  }

  /** Shows the waiting picture where there has been no source yet. */
  wait(): void {
    this.#choose();
  }

  setWish(wish: PictureWish): void {
    const wasDrawn = needsDrawing(this.#wish);
    this.#wish = wish;
    if (wasDrawn !== needsDrawing(wish)) {
      this.#dropFrames();
      this.#choose();
    }
  }

  /** Shows the waiting picture instead of the camera's, which stays open. */
  setCovered(isCovered: boolean): void {
    if (isCovered === this.#isCovered) return;
    this.#isCovered = isCovered;
    this.#dropFrames();
    this.#choose();
  }

  setWaitingImage(url: string): void {
    if (url === this.#waitingUrl) return;
    this.#waitingUrl = url;
    this.#showWaiting();
  }

  /** For tests: takes the graphics context away. */
  loseContext(): WEBGL_lose_context | null {
    return this.#painter?.loseContext() ?? null;
  }

  close(): void {
    this.#dropFrames();
    this.#waiting?.close();
    this.#waiting = undefined;
    this.#sent = undefined;
  }

  #choose(): void {
    const shown = this.#isCovered ? undefined : this.#source;
    const wanted = shown === undefined ? this.#startWaiting() : this.#drawn(shown);
    const before = this.#sent;
    this.#sent = wanted;
    if (wanted !== before) this.#listener.handlePictureTrack(wanted);
    if (shown === undefined) return;
    this.#waiting?.close();
    this.#waiting = undefined;
  }

  #startWaiting(): MediaStreamTrack {
    if (this.#waiting === undefined) {
      this.#waiting = new WaitingPicture(this.#size.width, this.#size.height);
      this.#showWaiting();
    }
    return this.#waiting.track;
  }

  #showWaiting(): void {
    const url = this.#waitingUrl;
    if (url === '' || this.#waiting === undefined) return;
    this.#waiting.show(url).catch(() => this.#listener.handleWaitingFailed(url));
  }

  #drawn(source: MediaStreamTrack): MediaStreamTrack {
    if (!needsDrawing(this.#wish)) return source;
    this.#painter = Painter.create();
    if (this.#painter === undefined) {
      this.#listener.handleNotice('filters-off');
      return source;
    }
    this.#governor = new Governor(this.#fps);
    this.#frames = drawFrames(source, this.#painter.canvas, (frame, width, height) => this.#draw(frame, width, height));
    return this.#frames.track;
  }

  #draw(frame: TexImageSource, width: number, height: number): HTMLCanvasElement | undefined {
    const painter = this.#painter;
    const governor = this.#governor;
    if (painter === undefined || governor === undefined) return undefined;
    // A mirrored picture must not turn round in the middle of a broadcast: the cheap last step goes on for it.
    if (governor.effort === 'none' && !this.#wish.mirror) return undefined;
    const wish = governor.effort === 'none' ? { ...this.#wish, beauty: 0, whiteness: 0, filter: 'standard' as const } : this.#wish;
    const isMeasured = (this.#count += 1) % MEASURE_EVERY === 0;
    const startMs = performance.now();
    if (!painter.draw(frame, { width, height }, wish, governor.effort, isMeasured)) {
      this.#giveUpLost(painter);
      return undefined;
    }
    if (isMeasured) this.#judge(governor, performance.now() - startMs);
    return painter.canvas;
  }

  #judge(governor: Governor, tookMs: number): void {
    const effort = governor.handleFrame(tookMs, this.#wish.beauty > 0);
    const notice = effort === undefined ? undefined : NOTICES[effort];
    if (notice !== undefined) this.#listener.handleNotice(notice);
  }

  #giveUpLost(painter: Painter): void {
    if (painter.lostMs === undefined || performance.now() - painter.lostMs < LOST_MS) return;
    this.#listener.handleNotice('filters-lost');
    this.#wish = { ...this.#wish, beauty: 0, whiteness: 0, filter: 'standard', mirror: false };
    this.#dropFrames();
    this.#choose();
  }

  #dropFrames(): void {
    this.#frames?.stop();
    this.#frames = undefined;
    this.#governor = undefined;
    this.#painter?.dispose();
    this.#painter = undefined;
  }
}
