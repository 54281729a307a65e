//! Which tiles of the stage are seen, and how large: what is asked of the server. A tile that is scrolled away or
//! whose page is hidden costs nothing.

import type { Wanted } from '../../room/slots.ts';

export class TileWatch {
  readonly #handle: (wanted: readonly Wanted[]) => void;
  readonly #sizes = new ResizeObserver(() => this.look());
  readonly #sights: IntersectionObserver;
  readonly #seen = new Map<Element, boolean>();
  readonly #listeners = new AbortController();
  #tiles: readonly HTMLElement[] = [];

  constructor(handle: (wanted: readonly Wanted[]) => void) {
    this.#handle = handle;
    this.#sights = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) if (this.#seen.has(target)) this.#seen.set(target, isIntersecting);
      this.look();
    });
    document.addEventListener('visibilitychange', () => this.look(), { signal: this.#listeners.signal });
  }

  /** The tiles that are on the stage now, the most important first. */
  watch(tiles: readonly HTMLElement[]): void {
    for (const tile of this.#tiles) {
      if (tiles.includes(tile)) continue;
      this.#sizes.unobserve(tile);
      this.#sights.unobserve(tile);
      this.#seen.delete(tile);
    }
    const isSame = tiles.length === this.#tiles.length && tiles.every((tile, at) => tile === this.#tiles[at]);
    this.#tiles = tiles;
    for (const tile of tiles) {
      if (this.#seen.has(tile)) continue;
      // Taken for seen until the observer says otherwise: pictures must not wait for it.
      this.#seen.set(tile, true);
      this.#sizes.observe(tile);
      this.#sights.observe(tile);
    }
    if (!isSame) this.look();
  }

  look(): void {
    const shown = document.hidden ? [] : this.#tiles.filter((tile) => this.#seen.get(tile) === true);
    this.#handle(
      shown.flatMap((tile) => {
        const { clientWidth, clientHeight } = tile;
        const member = Number(tile.dataset['member']);
        if (clientWidth === 0 || clientHeight === 0) return [];
        return [{ member, width: Math.round(clientWidth * devicePixelRatio), height: Math.round(clientHeight * devicePixelRatio) }];
      }),
    );
  }

  stop(): void {
    this.#listeners.abort();
    this.#sizes.disconnect();
    this.#sights.disconnect();
  }
}
