//! Background music: a file that is heard by the publisher and mixed into what is sent.

export interface BgmListener {
  handleBgm(type: 'bgmstart' | 'bgmprogress' | 'bgmcomplete', detail: object): void;
}

export class Music {
  readonly output: AudioNode;
  readonly #element = new Audio();
  readonly #gain: GainNode;

  constructor(context: AudioContext, listener: BgmListener) {
    // Without CORS a browser plays a file of another origin, and gives Web Audio silence.
    this.#element.crossOrigin = 'anonymous';
    this.#gain = new GainNode(context);
    context.createMediaElementSource(this.#element).connect(this.#gain);
    this.#gain.connect(context.destination);
    this.output = this.#gain;
    const element = this.#element;
    const millis = (seconds: number): number => (Number.isFinite(seconds) ? Math.round(seconds * 1000) : 0);
    const progress = (): object => ({ progress: millis(element.currentTime), duration: millis(element.duration) });
    element.addEventListener('timeupdate', () => listener.handleBgm('bgmprogress', progress()));
    element.addEventListener('ended', () => listener.handleBgm('bgmcomplete', {}));
    element.addEventListener('playing', () => element.currentTime < 0.5 && listener.handleBgm('bgmstart', {}));
  }

  /** Rejects when the file cannot be loaded or played. */
  async play(url: string): Promise<void> {
    this.#element.src = url;
    await this.#element.play();
  }

  stop(): void {
    this.#element.pause();
    this.#element.removeAttribute('src');
    this.#element.load();
  }

  pause(): void {
    this.#element.pause();
  }

  async resume(): Promise<void> {
    await this.#element.play();
  }

  /** 0 … 1 */
  set volume(volume: number) {
    this.#gain.gain.value = Math.max(0, volume);
  }
}
