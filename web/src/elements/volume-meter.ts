//! Loudness of what is playing, for `audiovolumenotify`. It listens to a copy of the sound, so the
//! sound itself is never routed through us; Safari offers no such copy and reports nothing.

interface CapturableVideo extends HTMLVideoElement {
  captureStream?: () => MediaStream;
  mozCaptureStream?: () => MediaStream;
}

/** WeChat's volume runs from 0 to 100. */
const VOLUME_MAX = 100;
/** Speech peaks at about a third of full scale in RMS; this spreads it over the range. */
const GAIN = 300;
const FFT_SIZE = 1024;

export class VolumeMeter {
  readonly #context: AudioContext;
  readonly #analyser: AnalyserNode;
  readonly #samples = new Float32Array(FFT_SIZE);

  private constructor(stream: MediaStream) {
    this.#context = new AudioContext();
    this.#analyser = this.#context.createAnalyser();
    this.#analyser.fftSize = FFT_SIZE;
    this.#context.createMediaStreamSource(stream).connect(this.#analyser);
  }

  /** Undefined where the browser has no copy of the sound, or there is none to copy. */
  static of(video: HTMLVideoElement): VolumeMeter | undefined {
    const { captureStream, mozCaptureStream } = video as CapturableVideo;
    const stream = (captureStream ?? mozCaptureStream)?.call(video);
    return stream === undefined || stream.getAudioTracks().length === 0 ? undefined : new VolumeMeter(stream);
  }

  /** 0 … 100 */
  get volume(): number {
    this.#analyser.getFloatTimeDomainData(this.#samples);
    const power = this.#samples.reduce((sum, sample) => sum + sample * sample, 0) / FFT_SIZE;
    return Math.min(VOLUME_MAX, Math.round(Math.sqrt(power) * GAIN));
  }

  close(): void {
    void this.#context.close();
  }
}
