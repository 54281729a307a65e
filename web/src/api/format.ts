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

/** A span as a clock shows it: `0:07`, `12:34`, `1:02:03`. */
export function clockSpan(totalS: number): string {
  const s = Math.max(0, Math.floor(totalS));
  const two = (n: number): string => String(n).padStart(2, '0');
  const [h, m] = [Math.floor(s / HOUR_S), Math.floor((s % HOUR_S) / MINUTE_S)];
  return h === 0 ? `${m}:${two(s % MINUTE_S)}` : `${h}:${two(m)}:${two(s % MINUTE_S)}`;
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

/** `940 B`, `1.2 GB`: decimal, as disks and tariffs are told. */
export function bytesText(bytes: number): string {
  let [value, unit] = [bytes, 0];
  while (value >= 999.5 && unit < BYTE_UNITS.length - 1) [value, unit] = [value / 1000, unit + 1];
  const digits = unit === 0 || value >= 99.95 ? 0 : 1;
  return `${value.toFixed(digits)} ${BYTE_UNITS[unit]}`;
}

const BYTE_UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'] as const;

/** A time of day, with the date when it is not today's. `language` is a BCP 47 tag. */
export function clockText(atMs: number, nowMs: number, language: string): string {
  if (Number.isNaN(atMs)) return '–';
  const [at, now] = [new Date(atMs), new Date(nowMs)];
  const time: Intl.DateTimeFormatOptions = { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' };
  const date: Intl.DateTimeFormatOptions = { month: 'short', day: 'numeric' };
  const year: Intl.DateTimeFormatOptions = at.getFullYear() === now.getFullYear() ? {} : { year: 'numeric' };
  const options = at.toDateString() === now.toDateString() ? time : { ...year, ...date, ...time };
  return new Intl.DateTimeFormat(language, options).format(at);
}

/** A time of day without its seconds. */
export function minuteText(atMs: number, language: string): string {
  return new Intl.DateTimeFormat(language, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }).format(new Date(atMs));
}

/** A day, with its year. */
export function dateText(atMs: number, language: string): string {
  if (Number.isNaN(atMs)) return '–';
  return new Intl.DateTimeFormat(language, { dateStyle: 'medium' }).format(new Date(atMs));
}

/** `3 ms`, `1.2 s`. */
export function millisText(ms: number): string {
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`;
}

/** `1,204` */
export function countText(count: number, language: string): string {
  return new Intl.NumberFormat(language).format(count);
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

const PROTOCOLS: Readonly<Record<string, string>> = { flv: 'HTTP-FLV', ws_flv: 'WS-FLV', webrtc: 'WebRTC', whep: 'WHEP', whip: 'WHIP' };

/** A protocol as people write it. */
export function protocolName(protocol: string): string {
  return PROTOCOLS[protocol] ?? protocol.toUpperCase();
}

/** Protocols that have viewers, most first. */
export function viewersByProtocol(viewers: Viewers): readonly (readonly [name: string, count: number])[] {
  return Object.entries(viewers)
    .filter(([, count]) => count > 0)
    .map(([protocol, count]) => [protocolName(protocol), count] as const)
    .sort((a, b) => b[1] - a[1]);
}
