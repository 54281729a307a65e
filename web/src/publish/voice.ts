//! Voices and rooms by WeChat's numbers, as parameters of Web Audio; and the impulse of a room, made by rule
//! instead of recorded.

/** What a voice changer does; 1 and 0 leave the voice as it is. */
export interface Voice {
  /** Times the pitch. */
  readonly pitch: number;
  /** Hz of a ring modulator, for machines; 0 is none. */
  readonly ringHz: number;
  /** Hz below which (`lowpass`) or around which (`bandpass`) sound passes. */
  readonly filter: { readonly type: 'lowpass' | 'bandpass' | 'highpass'; readonly hz: number } | undefined;
  /** Times overdriven; 0 is clean. */
  readonly drive: number;
}

const NATURAL: Voice = { pitch: 1, ringHz: 0, filter: undefined, drive: 0 };

/**
 * `voice-changer-type`: none, naughty child, little girl, uncle, heavy metal, a cold, foreigner, caged beast, stout
 * fellow, strong current, heavy machinery, ethereal.
 */
export const VOICES: readonly Voice[] = [
  NATURAL,
  { ...NATURAL, pitch: 1.35 },
  { ...NATURAL, pitch: 1.55 },
  { ...NATURAL, pitch: 0.78 },
  { ...NATURAL, pitch: 0.9, drive: 4 },
  { ...NATURAL, pitch: 0.95, filter: { type: 'lowpass', hz: 1_400 } },
  { ...NATURAL, pitch: 1.12, filter: { type: 'bandpass', hz: 1_700 } },
  { ...NATURAL, pitch: 0.6, drive: 2 },
  { ...NATURAL, pitch: 0.86, filter: { type: 'lowpass', hz: 2_600 } },
  { ...NATURAL, ringHz: 120, drive: 1 },
  { ...NATURAL, pitch: 0.7, ringHz: 45 },
  { ...NATURAL, pitch: 1.2, filter: { type: 'highpass', hz: 500 } },
];

/** A room: how long it rings, how loud against the voice, how dull, and an early echo. */
export interface Room {
  readonly seconds: number;
  readonly wet: number;
  /** Share of brightness that is lost in the tail, 0 … 1. */
  readonly dullness: number;
  readonly echoMs: number;
}

/** `audio-reverb-type`: none, KTV, small room, great hall, deep, loud, metallic, magnetic. */
export const ROOMS: readonly (Room | undefined)[] = [
  undefined,
  { seconds: 1.2, wet: 0.45, dullness: 0.4, echoMs: 90 },
  { seconds: 0.4, wet: 0.35, dullness: 0.5, echoMs: 0 },
  { seconds: 2.6, wet: 0.5, dullness: 0.55, echoMs: 40 },
  { seconds: 1.5, wet: 0.4, dullness: 0.85, echoMs: 0 },
  { seconds: 0.8, wet: 0.6, dullness: 0.2, echoMs: 25 },
  { seconds: 0.6, wet: 0.55, dullness: 0, echoMs: 12 },
  { seconds: 0.9, wet: 0.35, dullness: 0.7, echoMs: 18 },
];

/** One channel of a room's answer to a clap: noise that dies away, ever duller. `seed` keeps channels apart. */
export function impulseOf(room: Room, sampleRate: number, seed: number): Float32Array<ArrayBuffer> {
  const samples = new Float32Array(Math.max(1, Math.round(room.seconds * sampleRate)));
  let state = (seed * 2_654_435_761 + 1) >>> 0;
  let smoothed = 0;
  for (let at = 0; at < samples.length; at += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    const noise = state / 0x8000_0000 - 1;
    const age = at / samples.length;
    smoothed += (noise - smoothed) * (1 - room.dullness * (0.5 + 0.5 * age));
    // -60 dB at the end: the usual measure of a reverberation time.
    samples[at] = smoothed * 10 ** (-3 * age);
  }
  const echo = Math.round((room.echoMs / 1000) * sampleRate);
  if (echo > 0 && echo < samples.length) samples[echo] = 1;
  return samples;
}

/** The curve of a soft overdrive for a `WaveShaperNode`. */
export function driveCurve(drive: number): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length: 1_025 }, (_, at) => Math.tanh((at / 512 - 1) * (1 + drive)) / Math.tanh(1 + drive));
}
