//! What the player does with the browser: reading the media element, full screen, picture in
//! picture, snapshots, capabilities. Each where the standard has it, with Safari's older names.

import type { Support } from '../play/address.ts';
import { DEAD_MS, FIRST_BYTES_MS, type Reading } from '../play/session.ts';
import type { EngineFacts } from './engines/engine.ts';

/** H.264 baseline with AAC-LC: what every browser with Media Source plays. */
const PROBE = 'video/mp4; codecs="avc1.42E01E,mp4a.40.2"';
const HLS_TYPE = 'application/vnd.apple.mpegurl';

interface AppleVideo extends HTMLVideoElement {
  webkitEnterFullscreen?: () => void;
  webkitExitFullscreen?: () => void;
}

interface ManagedMediaSourceGlobal {
  ManagedMediaSource?: typeof MediaSource;
}

export function detectSupport(): Support {
  const source = (globalThis as ManagedMediaSourceGlobal).ManagedMediaSource ?? globalThis.MediaSource;
  return {
    mse: source !== undefined && source.isTypeSupported(PROBE),
    nativeHls: document.createElement('video').canPlayType(HLS_TYPE) !== '',
    webSocket: globalThis.WebSocket !== undefined,
    webRtc: globalThis.RTCPeerConnection !== undefined && 'addTransceiver' in RTCPeerConnection.prototype,
  };
}

const NO_FACTS: Pick<EngineFacts, 'delayS' | 'delayFloorS' | 'lastDataMs' | 'limits' | 'selfPaced'> = {
  delayS: undefined,
  delayFloorS: 0,
  lastDataMs: undefined,
  limits: { firstBytesMs: FIRST_BYTES_MS, silenceMs: Infinity, deadMs: DEAD_MS },
  selfPaced: false,
};

export function readMedia(video: HTMLVideoElement, facts: EngineFacts | undefined): Reading {
  const { delayS, delayFloorS, lastDataMs, limits, selfPaced } = facts ?? NO_FACTS;
  return {
    positionS: video.currentTime,
    buffered: rangesOf(video.buffered),
    paused: video.paused,
    // A hidden page draws nothing; there, moving time counts as moving pictures.
    framesShown: document.hidden ? video.currentTime * 1000 : framesShown(video),
    hasMetadata: video.readyState >= HTMLMediaElement.HAVE_METADATA,
    width: video.videoWidth,
    height: video.videoHeight,
    engineDelayS: delayS,
    delayFloorS,
    lastDataMs,
    limits,
    selfPaced,
  };
}

export function framesShown(video: HTMLVideoElement): number {
  const { totalVideoFrames, droppedVideoFrames } = video.getVideoPlaybackQuality();
  return totalVideoFrames - droppedVideoFrames;
}

function rangesOf(ranges: TimeRanges): (readonly [number, number])[] {
  return Array.from({ length: ranges.length }, (_, at) => [ranges.start(at), ranges.end(at)] as const);
}

/** Fills the screen with `host`; iPhones can only do that with the video itself. */
export async function enterFullScreen(host: HTMLElement, video: HTMLVideoElement): Promise<void> {
  if (host.requestFullscreen !== undefined) {
    await host.requestFullscreen({ navigationUI: 'hide' });
  } else {
    (video as AppleVideo).webkitEnterFullscreen?.();
  }
}

export async function leaveFullScreen(video: HTMLVideoElement): Promise<void> {
  if (document.fullscreenElement !== null) await document.exitFullscreen();
  else (video as AppleVideo).webkitExitFullscreen?.();
}

export function canPictureInPicture(): boolean {
  return document.pictureInPictureEnabled === true;
}

/** What `snapshot` resolves to; `tempImagePath` is an object URL the caller may revoke. */
export interface Snapshot {
  readonly tempImagePath: string;
  readonly width: number;
  readonly height: number;
  readonly blob: Blob;
}

const JPEG_QUALITY = 0.85;

/** The picture on the screen; `raw` keeps it as PNG, `compressed` makes a smaller JPEG. */
export async function takeSnapshot(video: HTMLVideoElement, quality: 'raw' | 'compressed'): Promise<Snapshot> {
  const { videoWidth: width, videoHeight: height } = video;
  if (width === 0 || height === 0) throw new DOMException('no picture yet', 'InvalidStateError');
  const canvas = document.createElement('canvas');
  canvas.width = width;
  canvas.height = height;
  canvas.getContext('2d')?.drawImage(video, 0, 0, width, height);
  const type = quality === 'raw' ? 'image/png' : 'image/jpeg';
  const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, type, JPEG_QUALITY));
  if (blob === null) throw new DOMException('the picture could not be encoded', 'EncodingError');
  return { tempImagePath: URL.createObjectURL(blob), width, height, blob };
}
