//! What the attributes of `<live-pusher>` ask of camera and encoder: sizes, rates and simulcast layers.

import type { Encoding } from './layers.ts';

export type PushMode = 'SD' | 'HD' | 'FHD' | 'RTC';
export type Orientation = 'vertical' | 'horizontal';
export type Aspect = '9:16' | '3:4';

export interface Wish {
  readonly mode: PushMode;
  readonly orientation: Orientation;
  readonly aspect: Aspect;
  /** Pixels of a picture held upright, and kbit/s; undefined takes what `mode` means. */
  readonly videoWidth: number | undefined;
  readonly videoHeight: number | undefined;
  readonly minKbps: number | undefined;
  readonly maxKbps: number | undefined;
  readonly fps: number | undefined;
}

/** What is to be sent. */
export interface Target {
  readonly width: number;
  readonly height: number;
  readonly fps: number;
  readonly minKbps: number;
  readonly maxKbps: number;
}

interface Preset {
  readonly shortSide: number;
  readonly minKbps: number;
  readonly maxKbps: number;
}

/** WeChat's sizes and the bitrates it recommends for them; `RTC` has the defaults of its attributes. */
const PRESETS: Readonly<Record<PushMode, Preset>> = {
  SD: { shortSide: 360, minKbps: 300, maxKbps: 800 },
  HD: { shortSide: 540, minKbps: 600, maxKbps: 1_200 },
  FHD: { shortSide: 720, minKbps: 600, maxKbps: 1_800 },
  RTC: { shortSide: 360, minKbps: 200, maxKbps: 1_000 },
};

/** WeChat clamps bitrates to this range. */
const KBPS_MIN = 200;
const KBPS_MAX = 5_000;
const FPS_BY_DEFAULT = 15;
const FPS_MAX = 30;
/** Encoders want even sides; a camera gives no more than 4K. */
const SIDE_MIN = 16;
const SIDE_MAX = 3_840;

export function targetOf(wish: Wish): Target {
  const preset = PRESETS[wish.mode];
  const width = even(wish.videoWidth ?? preset.shortSide);
  const tall = wish.aspect === '3:4' ? (width * 4) / 3 : (width * 16) / 9;
  const height = even(wish.videoHeight ?? tall);
  const maxKbps = clamp(wish.maxKbps ?? preset.maxKbps, KBPS_MIN, KBPS_MAX);
  const minKbps = Math.min(maxKbps, clamp(wish.minKbps ?? preset.minKbps, KBPS_MIN, KBPS_MAX));
  const fps = clamp(Math.round(wish.fps ?? FPS_BY_DEFAULT), 1, FPS_MAX);
  const [long, short] = [Math.max(width, height), Math.min(width, height)];
  return wish.orientation === 'horizontal'
    ? { width: long, height: short, fps, minKbps, maxKbps }
    : { width, height, fps, minKbps, maxKbps };
}

/**
 * The size to ask of `getUserMedia`. A phone held upright turns what its camera takes, which is wide: asked for
 * an upright picture, it would first cut one out of the wide one.
 */
export function captureSize({ width, height }: Target, isPhoneUpright: boolean): { width: number; height: number } {
  return isPhoneUpright ? { width: height, height: width } : { width, height };
}

/** kbit/s of Opus; WeChat's `low` is 16 kHz speech. */
export function audioKbps(quality: 'high' | 'low'): number {
  return quality === 'high' ? 64 : 24;
}

/** Up to three layers, from small to large. Pictures too small to be worth a quarter get fewer. */
export function encodingsOf(target: Target, simulcast: boolean): readonly Encoding[] {
  const shortSide = Math.min(target.width, target.height);
  const layers = simulcast ? LAYERS.filter(({ scale, least }) => scale === 1 || shortSide >= least) : [];
  if (layers.length < 2) return [{ active: true, scaleResolutionDownBy: 1, maxBitrate: target.maxKbps * 1000, maxFramerate: target.fps }];
  const shares = layers.reduce((sum, { share }) => sum + share, 0);
  const bps = layers.map(({ share }) => Math.round((target.maxKbps * 1000 * share) / shares));
  const spared = Math.max(0, (bps[0] ?? 0) - LEAST_BPS);
  // What the smallest may not take is the largest's.
  return layers.map(({ rid, scale }, at) => ({
    rid,
    active: true,
    scaleResolutionDownBy: scale,
    maxBitrate: (bps[at] ?? 0) + (at === layers.length - 1 ? spared : at === 0 ? -spared : 0),
    maxFramerate: target.fps,
  }));
}

/** The smallest layer is for whoever has little: with sound it has to go through 500 kbit/s. */
const LEAST_BPS = 200_000;

/** `least`: the short side from which a layer is worth its share; below, browsers leave it out themselves. */
const LAYERS = [
  { rid: 'l', scale: 4, share: 1, least: 540 },
  { rid: 'm', scale: 2, share: 3, least: 270 },
  { rid: 'h', scale: 1, share: 8, least: 0 },
] as const;

function even(pixels: number): number {
  return Math.round(clamp(pixels, SIDE_MIN, SIDE_MAX) / 2) * 2;
}

function clamp(value: number, min: number, max: number): number {
  return Math.min(max, Math.max(min, Number.isFinite(value) ? value : min));
}
