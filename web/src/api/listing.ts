//! Which of many streams are shown, in which order, and on which page of the list.

import type { Broadcast } from './broadcasts.ts';

export type SortBy = 'viewers' | 'name' | 'since';

export const SORTS: readonly SortBy[] = ['viewers', 'name', 'since'];

/** Cards on one page: more would make a phone slow, and nobody looks through more. */
export const PAGE_CARDS = 48;

export interface Listing {
  readonly shown: readonly Broadcast[];
  /** Of all that match. */
  readonly matching: number;
  /** From 0, within `pages`. */
  readonly page: number;
  readonly pages: number;
}

/** Every word of `search` has to stand in the path, in any order and whatever its case. */
export function arrange(all: readonly Broadcast[], search: string, sort: SortBy, page: number): Listing {
  const words = search.toLowerCase().split(/\s+/).filter((word) => word !== '');
  const matching = all.filter(({ path }) => {
    const name = path.toLowerCase();
    return words.every((word) => name.includes(word));
  });
  matching.sort(ORDERS[sort]);
  const pages = Math.max(1, Math.ceil(matching.length / PAGE_CARDS));
  const at = Math.min(Math.max(0, page), pages - 1);
  return {
    shown: matching.slice(at * PAGE_CARDS, (at + 1) * PAGE_CARDS),
    matching: matching.length,
    page: at,
    pages,
  };
}

const COLLATOR = new Intl.Collator(undefined, { numeric: true });
const byName = (a: Broadcast, b: Broadcast): number => COLLATOR.compare(a.path, b.path);

/** Most viewers, the alphabet, the newest first; alike ones by name, so that cards keep their places. */
const ORDERS: Readonly<Record<SortBy, (a: Broadcast, b: Broadcast) => number>> = {
  viewers: (a, b) => b.viewers_total - a.viewers_total || byName(a, b),
  name: byName,
  since: (a, b) => Date.parse(b.since) - Date.parse(a.since) || byName(a, b),
};
