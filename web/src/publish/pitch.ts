//! Changes the pitch of a voice without its pace: two taps run along a short memory at another speed, each faded
//! out before it jumps. Plain arithmetic on blocks of samples, for an AudioWorklet and for tests.

/** The length of a grain: several periods of a low voice, and short enough not to be heard as an echo. */
const GRAIN_S = 0.05;

export class PitchShifter {
  readonly #memory: Float32Array;
  readonly #grain: number;
  #written = 0;
  /** How far the first tap is behind, 0 … grain. */
  #behind = 0;

  constructor(sampleRate: number) {
    this.#grain = Math.round(GRAIN_S * sampleRate);
    this.#memory = new Float32Array(2 * this.#grain);
  }

  /** `output` gets `input` at `ratio` times the pitch; both have the same length. */
  process(input: Float32Array, output: Float32Array, ratio: number): void {
    for (let at = 0; at < input.length; at += 1) {
      this.#memory[this.#written] = input[at] ?? 0;
      const other = (this.#behind + this.#grain / 2) % this.#grain;
      output[at] = this.#read(this.#behind) * this.#gain(this.#behind) + this.#read(other) * this.#gain(other);
      this.#behind = (this.#behind + 1 - ratio + this.#grain) % this.#grain;
      this.#written = (this.#written + 1) % this.#memory.length;
    }
  }

  /** Between two samples. */
  #read(behind: number): number {
    const length = this.#memory.length;
    const from = (this.#written - behind + length) % length;
    const low = Math.floor(from);
    const share = from - low;
    return (this.#memory[low % length] ?? 0) * (1 - share) + (this.#memory[(low + 1) % length] ?? 0) * share;
  }

  /** Two taps half a grain apart always add up to one. */
  #gain(behind: number): number {
    return 0.5 - 0.5 * Math.cos((2 * Math.PI * behind) / this.#grain);
  }
}
