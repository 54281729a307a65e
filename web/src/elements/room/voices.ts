//! Plays the voices of the stage: an audio element for each slot, whosever voice it carries.

export class Voices {
  readonly #changed: () => void;
  #players: readonly HTMLAudioElement[] = [];
  #tracks: readonly MediaStreamTrack[] = [];
  /** The browser wants a gesture before it makes a sound. */
  isBlocked = false;

  constructor(changed: () => void) {
    this.#changed = changed;
  }

  /** The tracks that are there now; the same ones go on undisturbed. */
  play(tracks: readonly MediaStreamTrack[]): void {
    if (tracks.length === this.#tracks.length && tracks.every((track, at) => track === this.#tracks[at])) return;
    this.stop();
    this.#tracks = tracks;
    this.#players = tracks.map((track) => Object.assign(new Audio(), { srcObject: new MediaStream([track]) }));
    for (const player of this.#players) void this.#start(player);
  }

  /** To be called from a gesture. */
  allow(): void {
    this.isBlocked = false;
    for (const player of this.#players) void this.#start(player);
    this.#changed();
  }

  stop(): void {
    for (const player of this.#players) {
      player.pause();
      player.srcObject = null;
    }
    this.#players = [];
    this.#tracks = [];
    this.isBlocked = false;
  }

  async #start(player: HTMLAudioElement): Promise<void> {
    try {
      await player.play();
    } catch (error) {
      // Anything else is an element that was stopped meanwhile.
      if (!(error instanceof DOMException) || error.name !== 'NotAllowedError' || !this.#players.includes(player)) return;
      if (this.isBlocked) return;
      this.isBlocked = true;
      this.#changed();
    }
  }
}
