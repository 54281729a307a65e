//! What is open, chosen and told on the screen of a room, beside what the room itself is.

import type { Layout } from '../../room/layout.ts';
import type { RoomNotice } from '../../room/notices.ts';

export type Panel = 'none' | 'chat' | 'people' | 'settings';

/** A question before what cannot be undone. */
export interface Question {
  readonly title: string;
  readonly text: string;
  readonly doIt: string;
  readonly act: () => void;
}

/** What a notice is read in. */
const NOTICE_MS = 6_000;
/** Controls get out of the way after this without a movement. */
export const IDLE_MS = 4_000;

export class RoomUi {
  readonly #changed: () => void;
  panel: Panel = 'none';
  isReacting = false;
  /** The member whose actions are shown. */
  expanded: number | undefined;
  question: Question | undefined;
  notice: RoomNotice | undefined;
  /** The reader's choice; the template's otherwise. */
  layout: Layout | undefined;
  page = 0;
  flies = true;
  isIdle = false;
  /** Requests to unmute that were answered by leaving it off. */
  readonly declined = new Set<string>();
  /** Lines that came while the chat was closed. */
  unread = 0;
  isFollowing = true;
  size = { width: 0, height: 0 };
  devices: readonly MediaDeviceInfo[] = [];
  #noticeTimer: ReturnType<typeof setTimeout> | undefined;
  #idleTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(changed: () => void) {
    this.#changed = changed;
  }

  set(fields: Partial<Pick<RoomUi, 'panel' | 'isReacting' | 'expanded' | 'question' | 'layout' | 'page' | 'flies' | 'isFollowing' | 'devices'>>): void {
    Object.assign(this, fields);
    if (this.panel === 'chat') this.unread = 0;
    this.#changed();
  }

  toggle(panel: Panel): void {
    this.set({ panel: this.panel === panel ? 'none' : panel, expanded: undefined, isReacting: false, isFollowing: true });
  }

  tell(notice: RoomNotice): void {
    this.notice = notice;
    clearTimeout(this.#noticeTimer);
    this.#noticeTimer = setTimeout(() => this.dismiss(), NOTICE_MS);
    this.#changed();
  }

  dismiss(): void {
    this.notice = undefined;
    this.#changed();
  }

  /** Somebody moves, types or touches: the controls are there, for a while. */
  wake(): void {
    clearTimeout(this.#idleTimer);
    this.#idleTimer = setTimeout(() => this.#rest(), IDLE_MS);
    if (!this.isIdle) return;
    this.isIdle = false;
    this.#changed();
  }

  stop(): void {
    clearTimeout(this.#noticeTimer);
    clearTimeout(this.#idleTimer);
  }

  #rest(): void {
    if (this.panel !== 'none' || this.isReacting || this.question !== undefined) return;
    this.isIdle = true;
    this.#changed();
  }
}
