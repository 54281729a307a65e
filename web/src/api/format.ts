//! Numbers and durations as people read them.

import type { Messages } from '../i18n/index.ts';
import type { EngineKind } from '../play/address.ts';
import type { Track, Viewers } from './broadcasts.ts';

const MINUTE_S = 60;
const HOUR_S = 3_600;
const DAY_S = 86_400;

/** At most two units: `12 s`, `5 min`, `2 h 10 min`, `3 d 4 h`. */
export function duration(totalS: number, messages: Messages): string {
  const s = Math.max(0, Math.floor(totalS));
  if (s < MINUTE_S) return messages.seconds(s);
  if (s < HOUR_S) return messages.minutes(Math.floor(s / MINUTE_S));
  if (s < DAY_S) return messages.hours(Math.floor(s / HOUR_S), Math.floor((s % HOUR_S) / MINUTE_S));
  return messages.days(Math.floor(s / DAY_S), Math.floor((s % DAY_S) / HOUR_S));
}

/** Steps of a delay in milliseconds: finer ones would only flicker. */
const DELAY_STEP_MS = 10;

/** `1.2 s`; below a second and by WebRTC, where that is the usual range, `180 ms`. */
export function delayText(delayS: number, kind: EngineKind, messages: Messages): string {
  const ms = Math.round((delayS * 1000) / DELAY_STEP_MS) * DELAY_STEP_MS;
  return kind === 'whep' && ms < 1000 ? messages.delayMs(ms) : messages.delay(delayS.toFixed(1));
}

/** `2.4 Mbit/s`, `128 kbit/s`. */
export function bitrate(bps: number): string {
  return bps >= 1_000_000 ? `${(bps / 1_000_000).toFixed(1)} Mbit/s` : `${Math.round(bps / 1000)} kbit/s`;
}

/** `30 fps`, `29.97 fps`: whole where it nearly is. */
export function frameRate(fps: number): string {
  const near = Math.round(fps);
  return `${Math.abs(fps - near) < 0.02 ? near : fps.toFixed(2)} fps`;
}

/** A name and what is known besides: `H.264`, `1280×720 · 30 fps`. */
export type Parts = readonly [name: string, more: string];

export function videoParts(track: Track): Parts {
  const more: string[] = [];
  if (track.width !== null && track.height !== null) more.push(`${track.width}×${track.height}`);
  if (track.fps !== null && track.fps > 0) more.push(frameRate(track.fps));
  return [track.name, more.join(' · ')];
}

/** `AAC`, `48 kHz · stereo`. */
export function audioParts(track: Track, messages: Messages): Parts {
  const more: string[] = [];
  if (track.sample_rate !== null) more.push(`${track.sample_rate / 1000} kHz`);
  if (track.channels !== null) more.push(channels(track.channels, messages));
  return [track.name, more.join(' · ')];
}

function channels(count: number, messages: Messages): string {
  if (count === 1) return messages.mono;
  return count === 2 ? messages.stereo : messages.channels(count);
}

const PROTOCOLS: Readonly<Record<string, string>> = { flv: 'HTTP-FLV', ws_flv: 'WS-FLV', webrtc: 'WebRTC', whep: 'WebRTC' };

/** Protocols that have viewers, most first. */
export function viewersByProtocol(viewers: Viewers): readonly (readonly [name: string, count: number])[] {
  return Object.entries(viewers)
    .filter(([, count]) => count > 0)
    .map(([protocol, count]) => [PROTOCOLS[protocol] ?? protocol.toUpperCase(), count] as const)
    .sort((a, b) => b[1] - a[1]);
}

export function viewersTotal(viewers: Viewers): number {
  return Object.values(viewers).reduce((sum, count) => sum + count, 0);
}
