//! Opening what a browser can capture: camera, microphone, screen, a file. Each either gives tracks or says why not.

import { type Refusal, refusalOf } from '../../publish/refusals.ts';

export interface CameraWish {
  /** A chosen camera; without one, the side it looks to. */
  readonly deviceId: string | undefined;
  readonly position: 'front' | 'back';
  readonly width: number;
  readonly height: number;
  readonly fps: number;
}

export interface MicrophoneWish {
  readonly deviceId: string | undefined;
  readonly agc: boolean;
  readonly ans: boolean;
  readonly aec: boolean;
}

export type Captured = { readonly ok: true; readonly tracks: readonly MediaStreamTrack[] } | { readonly ok: false; readonly refusal: Refusal };

interface CapturableVideo extends HTMLVideoElement {
  captureStream?: () => MediaStream;
  mozCaptureStream?: () => MediaStream;
}

/** Pages without https have no `mediaDevices` at all. */
function devices(): MediaDevices | undefined {
  return (navigator as { readonly mediaDevices?: MediaDevices }).mediaDevices;
}

export function openCamera(wish: CameraWish): Promise<Captured> {
  return open('camera', () => devices()?.getUserMedia({ video: cameraConstraints(wish) }));
}

export function openMicrophone(wish: MicrophoneWish): Promise<Captured> {
  return open('microphone', () => devices()?.getUserMedia({ audio: microphoneConstraints(wish) }));
}

/** Both at once, so that a person is asked once; one after the other when that fails, to learn which it was. */
export async function openBoth(camera: CameraWish, microphone: MicrophoneWish): Promise<readonly [Captured, Captured]> {
  const video = cameraConstraints(camera);
  const audio = microphoneConstraints(microphone);
  const both = await open('camera', () => devices()?.getUserMedia({ video, audio }));
  if (!both.ok) return [await openCamera(camera), await openMicrophone(microphone)];
  const of = (kind: string): Captured => ({ ok: true, tracks: both.tracks.filter((track) => track.kind === kind) });
  return [of('video'), of('audio')];
}

export function openScreen(fps: number): Promise<Captured> {
  return open('screen', () => {
    const media = devices();
    if (media === undefined || !('getDisplayMedia' in media)) throw new DOMException('no screen capture', 'NotSupportedError');
    return media.getDisplayMedia({ video: { frameRate: { max: fps } }, audio: true });
  });
}

/** A file as a source: it plays in real time, over and over when `loop`. */
export async function openFile(source: Blob | string, loop: boolean): Promise<Captured & { readonly video?: HTMLVideoElement }> {
  const video = document.createElement('video') as CapturableVideo;
  video.src = typeof source === 'string' ? source : URL.createObjectURL(source);
  video.crossOrigin = 'anonymous';
  video.loop = loop;
  video.playsInline = true;
  const capture = video.captureStream ?? video.mozCaptureStream;
  const result = await open('camera', async () => {
    if (capture === undefined) throw new DOMException('this browser cannot capture a file', 'NotSupportedError');
    await video.play();
    return capture.call(video);
  });
  return result.ok ? { ...result, video } : result;
}

/** Labels are empty until the person has allowed one of the kind. */
export async function listDevices(): Promise<readonly MediaDeviceInfo[]> {
  const found = await devices()?.enumerateDevices();
  return (found ?? []).filter(({ kind, deviceId }) => kind !== 'audiooutput' && deviceId !== '');
}

export function onDeviceChange(handle: () => void, signal: AbortSignal): void {
  devices()?.addEventListener('devicechange', handle, { signal });
}

function cameraConstraints({ deviceId, position, width, height, fps }: CameraWish): MediaTrackConstraints {
  const which =
    deviceId === undefined ? { facingMode: position === 'front' ? 'user' : 'environment' } : { deviceId: { exact: deviceId } };
  return { ...which, width: { ideal: width }, height: { ideal: height }, frameRate: { ideal: fps, max: Math.max(fps, 30) } };
}

function microphoneConstraints({ deviceId, agc, ans, aec }: MicrophoneWish): MediaTrackConstraints {
  const which = deviceId === undefined ? {} : { deviceId: { exact: deviceId } };
  return { ...which, autoGainControl: agc, noiseSuppression: ans, echoCancellation: aec };
}

async function open(device: Refusal['device'], ask: () => Promise<MediaStream> | undefined): Promise<Captured> {
  try {
    const stream = await ask();
    if (stream === undefined) throw new DOMException('the page is not secure', 'SecurityError');
    return { ok: true, tracks: stream.getTracks() };
  } catch (error) {
    return { ok: false, refusal: refusalOf(device, error, isSecureContext) };
  }
}
