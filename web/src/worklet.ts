//! The stable file `/assets/openmic-worklet.js`: what runs on the browser's audio thread. A policy without inline
//! script wants it as a file of its own.

import { PitchShifter } from './publish/pitch.ts';

/** What the audio thread's global scope has; TypeScript ships no library for it. */
declare const sampleRate: number;
declare abstract class AudioWorkletProcessor {
  readonly port: MessagePort;
}
declare function registerProcessor(name: string, processor: new () => AudioWorkletProcessor): void;

/** One octave and a half each way; what lies beyond is noise. */
const RATIO_MIN = 0.4;
const RATIO_MAX = 2.5;

class PitchProcessor extends AudioWorkletProcessor {
  static get parameterDescriptors(): readonly object[] {
    return [{ name: 'ratio', defaultValue: 1, minValue: RATIO_MIN, maxValue: RATIO_MAX, automationRate: 'k-rate' }];
  }

  readonly #shifter = new PitchShifter(sampleRate);

  process([input]: Float32Array[][], [output]: Float32Array[][], { ratio }: Record<string, Float32Array>): boolean {
    const from = input?.[0];
    const [first, ...others] = output ?? [];
    if (from === undefined || first === undefined) return true;
    this.#shifter.process(from, first, ratio?.[0] ?? 1);
    for (const channel of others) channel.set(first);
    return true;
  }
}

registerProcessor('openmic-pitch', PitchProcessor);
