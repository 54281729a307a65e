//! Where everybody is on the stage's picture: who is large, who is beside, and a grid whose tiles are as large as the
//! space allows. Pure, so that it is the same everywhere and can be tested.

export type Layout = 'speaker' | 'gallery' | 'teacher';

export interface Performer {
  readonly member: number;
  readonly isOwn: boolean;
  readonly isHost: boolean;
  readonly sharesScreen: boolean;
}

export interface Scene {
  /** The large one; undefined in a gallery, and where slides take its place. */
  readonly main: number | undefined;
  /** The others, in their order; the gallery's all. */
  readonly others: readonly number[];
}

export interface Direction {
  readonly layout: Layout;
  /** In the order in which they came up. */
  readonly performers: readonly Performer[];
  /** The host's choice. */
  readonly focus: number | null;
  /** Who spoke last, held for a while; see `LeadSpeaker`. */
  readonly lead: number | undefined;
  /** The page brings slides or a board. */
  readonly hasSlides: boolean;
}

export function arrange({ layout, performers, focus, lead, hasSlides }: Direction): Scene {
  const all = performers.map(({ member }) => member);
  if (layout === 'gallery') return { main: undefined, others: ownLast(performers) };
  if (layout === 'teacher' && hasSlides) return { main: undefined, others: hostFirst(performers) };
  const isThere = (member: number | null | undefined): member is number => member != null && all.includes(member);
  const screen = performers.find(({ sharesScreen }) => sharesScreen)?.member;
  const teacher = layout === 'teacher' ? performers.find(({ isHost }) => isHost)?.member : undefined;
  const other = performers.find(({ isOwn }) => !isOwn)?.member;
  const isOther = (member: number | undefined): boolean => performers.some((each) => each.member === member && !each.isOwn);
  // Nobody wants to see oneself large while somebody else is there.
  const candidates = [focus, screen, teacher, isOther(lead) ? lead : undefined, other, all[0]];
  const main = candidates.find(isThere);
  return { main, others: ownLast(performers).filter((member) => member !== main) };
}

/** What a room of this template begins with. A screen that somebody else shows is there to be read: nobody wants it as a tile. */
export function layoutOf(template: string, isShownScreen: boolean): Layout {
  switch (template) {
    case 'class-large':
      return 'teacher';
    case 'call':
    case 'show':
      return 'speaker';
    default:
      return isShownScreen ? 'speaker' : 'gallery';
  }
}

function ownLast(performers: readonly Performer[]): readonly number[] {
  return performers.toSorted((a, b) => Number(a.isOwn) - Number(b.isOwn)).map(({ member }) => member);
}

function hostFirst(performers: readonly Performer[]): readonly number[] {
  return performers.toSorted((a, b) => Number(b.isHost) - Number(a.isHost)).map(({ member }) => member);
}

export interface Grid {
  readonly columns: number;
  readonly rows: number;
}

/** Cameras are wide; on a phone held upright, squares of faces waste less of the screen than strips. */
const WIDE_ASPECT = 16 / 9;
const UPRIGHT_ASPECT = 1;
/** Square pixels that nobody sees. */
const EPSILON = 1e-3;

/** Columns and rows by which tiles of the wanted shape become largest. */
export function gridOf(count: number, width: number, height: number): Grid {
  const aspect = width < height ? UPRIGHT_ASPECT : WIDE_ASPECT;
  let best: Grid = { columns: 1, rows: Math.max(1, count) };
  let bestArea = EPSILON;
  for (let columns = 1; columns <= Math.max(1, count); columns += 1) {
    const rows = Math.ceil(count / columns);
    const tileWidth = Math.min(width / columns, (height / rows) * aspect);
    const area = tileWidth * (tileWidth / aspect);
    // Equally large, they stand side by side where it is wide: faces are upright.
    if (area > bestArea + EPSILON || (width >= height && area > bestArea - EPSILON)) {
      best = { columns, rows };
      bestArea = area;
    }
  }
  return best;
}

/** Somebody who coughs does not take the picture: the lead changes after this of speaking. */
const TAKES_MS = 1_500;
/** And whoever has it keeps it at least so long. */
const HOLDS_MS = 3_000;

/** Who is shown large, from who is the loudest from moment to moment. */
export class LeadSpeaker {
  #lead: number | undefined;
  #sinceMs = -Infinity;
  #candidate: number | undefined;
  #candidateMs = 0;

  get member(): number | undefined {
    return this.#lead;
  }

  /** `loudest`: of the others. Call on every news, and a few times a second; whether the lead is another one. */
  handleLoudest(loudest: number | undefined, nowMs: number): boolean {
    if (loudest !== this.#candidate) {
      this.#candidate = loudest;
      this.#candidateMs = nowMs;
    }
    if (loudest === undefined || loudest === this.#lead) return false;
    const waits = this.#lead !== undefined && (nowMs - this.#candidateMs < TAKES_MS || nowMs - this.#sinceMs < HOLDS_MS);
    if (waits) return false;
    this.#lead = loudest;
    this.#sinceMs = nowMs;
    return true;
  }

  /** It left the stage. */
  handleDown(member: number): void {
    if (this.#lead === member) this.#lead = undefined;
  }
}
