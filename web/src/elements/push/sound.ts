//! The sound that is sent: the microphone as it is while nothing is asked of it, else a mix by Web Audio of voice,
//! room and background music; and how loud the voice is.

import { ROOMS, VOICES, type Voice, driveCurve, impulseOf } from '../../publish/voice.ts';
import { type BgmListener, Music } from './music.ts';

/** What is asked of the voice. */
export interface VoiceWish {
  /** WeChat's numbers, see `voice.ts`. */
  readonly voice: number;
  readonly room: number;
  /** 0 … 1 and beyond. */
  readonly volume: number;
}

export interface SoundListener extends BgmListener {
  /** Another track is to be sent. */
  handleSoundTrack(track: MediaStreamTrack): void;
  /** The voice changer could not be loaded. */
  handleVoiceLost(): void;
}

/** Beside the script that this is part of, wherever that was loaded from. */
const WORKLET = './openmic-worklet.js';
const FFT_SIZE = 1_024;
/** WeChat's volume runs from 0 to 100; speech peaks at about a third of full scale in RMS. */
const VOLUME_MAX = 100;
const GAIN = 300;

export class Sound {
  readonly #listener: SoundListener;
  readonly #context = new AudioContext({ latencyHint: 'interactive' });
  readonly #mix = this.#context.createMediaStreamDestination();
  readonly #voiceGain = this.#context.createGain();
  readonly #analyser = this.#context.createAnalyser();
  readonly #samples = new Float32Array(FFT_SIZE);
  #music: Music | undefined;
  #input: MediaStreamTrack | undefined;
  #source: MediaStreamAudioSourceNode | undefined;
  #chain: AudioNode[] = [];
  #wish: VoiceWish = { voice: 0, room: 0, volume: 1 };
  #worklet: Promise<void> | undefined;
  #sent: MediaStreamTrack;

  constructor(listener: SoundListener) {
    this.#listener = listener;
    this.#analyser.fftSize = FFT_SIZE;
    this.#sent = this.#mix.stream.getAudioTracks()[0] as MediaStreamTrack;
    this.#rebuild();
  }

  /** What is to be sent now: never without a track, or there would be no way to add sound later. */
  get track(): MediaStreamTrack {
    return this.#sent;
  }

  /** 0 … 100 */
  get volume(): number {
    this.#analyser.getFloatTimeDomainData(this.#samples);
    const power = this.#samples.reduce((sum, sample) => sum + sample * sample, 0) / FFT_SIZE;
    return Math.min(VOLUME_MAX, Math.round(Math.sqrt(power) * GAIN));
  }

  /** The microphone, or what stands for it. */
  setInput(track: MediaStreamTrack | undefined): void {
    if (track === this.#input) return;
    this.#input = track;
    this.#source?.disconnect();
    this.#source = track === undefined ? undefined : this.#context.createMediaStreamSource(new MediaStream([track]));
    this.#source?.connect(this.#voiceGain);
    this.#source?.connect(this.#analyser);
    void this.wake();
    this.#choose();
  }

  configure(wish: VoiceWish): void {
    const { voice, room } = this.#wish;
    this.#wish = wish;
    this.#voiceGain.gain.value = wish.volume;
    if (voice !== wish.voice || room !== wish.room) this.#rebuild();
    this.#choose();
  }

  /** Browsers start silent without a gesture; a page that may hear the microphone is let go on. */
  async wake(): Promise<void> {
    if (this.#context.state === 'suspended') await this.#context.resume().catch(() => undefined);
  }

  get music(): Music {
    if (this.#music === undefined) {
      this.#music = new Music(this.#context, this.#listener);
      this.#music.output.connect(this.#mix);
      this.#choose();
    }
    return this.#music;
  }

  close(): void {
    this.#music?.stop();
    this.#source?.disconnect();
    void this.#context.close();
  }

  /** The way around Web Audio is the shorter one, and does not depend on a context that a browser may suspend. */
  #choose(): void {
    const { voice, room, volume } = this.#wish;
    const isPlain = voice === 0 && room === 0 && volume === 1 && this.#music === undefined;
    const mixed = this.#mix.stream.getAudioTracks()[0] as MediaStreamTrack;
    const wanted = isPlain && this.#input !== undefined ? this.#input : mixed;
    if (wanted === this.#sent) return;
    this.#sent = wanted;
    this.#listener.handleSoundTrack(wanted);
  }

  #rebuild(): void {
    const { voice: voiceNumber, room: roomNumber } = this.#wish;
    this.#voiceGain.disconnect();
    for (const node of this.#chain) {
      if (node instanceof OscillatorNode) node.stop();
      node.disconnect();
    }
    this.#chain = [];
    const voice = VOICES[voiceNumber];
    const last = voice === undefined ? this.#voiceGain : this.#buildVoice(voice);
    last.connect(this.#mix);
    const room = ROOMS[roomNumber];
    if (room === undefined) return;
    const { sampleRate } = this.#context;
    const buffer = new AudioBuffer({ length: Math.round(room.seconds * sampleRate), numberOfChannels: 2, sampleRate });
    for (const channel of [0, 1]) buffer.copyToChannel(impulseOf(room, sampleRate, channel + 1), channel);
    const convolver = this.#keep(new ConvolverNode(this.#context, { buffer }));
    const wet = this.#keep(new GainNode(this.#context, { gain: room.wet }));
    last.connect(convolver).connect(wet).connect(this.#mix);
  }

  #buildVoice({ pitch, ringHz, filter, drive }: Voice): AudioNode {
    let last: AudioNode = this.#voiceGain;
    const append = (node: AudioNode): void => void (last = last.connect(this.#keep(node)));
    if (ringHz > 0) {
      const ring = new GainNode(this.#context, { gain: 0 });
      const carrier = this.#keep(new OscillatorNode(this.#context, { frequency: ringHz }));
      carrier.connect(ring.gain);
      carrier.start();
      append(ring);
    }
    if (filter !== undefined) append(new BiquadFilterNode(this.#context, { type: filter.type, frequency: filter.hz }));
    if (drive > 0) append(new WaveShaperNode(this.#context, { curve: driveCurve(drive) }));
    if (pitch === 1) return last;
    const joint = this.#keep(new GainNode(this.#context));
    void this.#appendPitch(last, joint, pitch);
    return joint;
  }

  /** The file comes over the network; until it is there, the voice is silent rather than recognised. */
  async #appendPitch(from: AudioNode, to: AudioNode, ratio: number): Promise<void> {
    this.#worklet ??= this.#context.audioWorklet.addModule(new URL(/* @vite-ignore */ WORKLET, import.meta.url));
    try {
      await this.#worklet;
    } catch {
      this.#worklet = undefined;
      this.#listener.handleVoiceLost();
      return;
    }
    // Another voice may have been chosen meanwhile.
    if (!this.#chain.includes(to)) return;
    const shifter = this.#keep(new AudioWorkletNode(this.#context, 'openmic-pitch', { outputChannelCount: [1] }));
    const parameter = shifter.parameters.get('ratio');
    if (parameter !== undefined) parameter.value = ratio;
    from.connect(shifter).connect(to);
  }

  #keep<T extends AudioNode>(node: T): T {
    this.#chain.push(node);
    return node;
  }
}
