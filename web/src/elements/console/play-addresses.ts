//! Where the console's own players find a stream: on a guarded server by addresses signed for an hour, made when they are
//! first wanted and made anew before they end.

import { type SignedAddresses, makeAddresses } from '../../api/access.ts';
import { addressesOf } from '../../api/addresses.ts';
import { ApiError, type Client } from '../../api/client.ts';

export interface Playable {
  readonly flv: string;
  readonly page: string;
}

const SIGNED_S = 3_600;
/** A player that has begun goes on beyond the end; one that begins now wants some time. */
const RENEW_BEFORE_MS = 300_000;
/** A refused or failed wish is not repeated with every rendering. */
const FAILED_MS = 10_000;

interface Entry {
  readonly playable: Playable | undefined;
  readonly untilMs: number;
}

export class PlayAddresses {
  readonly #client: Client;
  readonly #guarded: boolean;
  readonly #changed: () => void;
  readonly #entries = new Map<string, Entry>();
  readonly #asking = new Set<string>();

  /** `changed` is called when an address has come. */
  constructor(client: Client, guarded: boolean, changed: () => void) {
    this.#client = client;
    this.#guarded = guarded;
    this.#changed = changed;
  }

  /** Undefined while it is being made. */
  of(path: string): Playable | undefined {
    if (!this.#guarded) {
      const { httpFlv, page } = addressesOf(path, this.#client.base, undefined);
      return { flv: httpFlv, page };
    }
    const entry = this.#entries.get(path);
    if (entry === undefined || entry.untilMs < Date.now()) void this.#make(path);
    return entry?.playable;
  }

  /** Streams that are gone need no address. */
  keepOnly(paths: ReadonlySet<string>): void {
    for (const path of this.#entries.keys()) if (!paths.has(path)) this.#entries.delete(path);
  }

  async #make(path: string): Promise<void> {
    if (this.#asking.has(path)) return;
    this.#asking.add(path);
    try {
      const { play }: SignedAddresses = await makeAddresses(this.#client, path, SIGNED_S);
      const playable = play === null ? undefined : { flv: play.flv, page: play.page };
      this.#entries.set(path, { playable, untilMs: Date.now() + SIGNED_S * 1_000 - RENEW_BEFORE_MS });
      this.#changed();
    } catch (error) {
      // Then there is no picture; what an administrator does by hand tells the reason.
      if (!(error instanceof ApiError)) throw error;
      this.#entries.set(path, { playable: this.#entries.get(path)?.playable, untilMs: Date.now() + FAILED_MS });
    } finally {
      this.#asking.delete(path);
    }
  }
}
