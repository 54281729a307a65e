//! What the parts of `<live-room>` draw from, and small things that several of them draw.

import { type TemplateResult, html, nothing } from 'lit';
import { classMap } from 'lit/directives/class-map.js';
import type { RoomMessages } from '../../i18n/room.ts';
import type { Layout, Performer } from '../../room/layout.ts';
import type { RoomSession } from '../../room/session.ts';
import type { All, Own } from '../../room/tracks.ts';
import { type RoomIcon, roomIcon } from './icons.ts';
import type { RoomUi } from './ui.ts';

export interface RoomView {
  readonly session: RoomSession;
  readonly ui: RoomUi;
  readonly words: RoomMessages;
  /** The room as it was last told: it is shown while the connection is lost, too. */
  readonly all: All;
  readonly own: Own;
  readonly layout: Layout;
  /** A page's own slides or board are there. */
  readonly hasSlides: boolean;
  /** On touch there is no pointer that hovers, and no place for many buttons. */
  readonly isNarrow: boolean;
  /** The room's address for the audience, with its token. */
  readonly audienceSrc: string;
  readonly isSoundBlocked: boolean;
  readonly allowSound: () => void;
  readonly leave: () => void;
}

export interface ButtonLook {
  /** What it stands for is off, which must be seen at a glance. */
  readonly isOff?: boolean;
  readonly isPressed?: boolean;
  readonly isOpen?: boolean;
  readonly look?: string;
  readonly badge?: number;
  readonly part?: string;
}

export function renderButton(name: RoomIcon, label: string, press: () => void, look: ButtonLook = {}): TemplateResult {
  const { isOff = false, isPressed, isOpen, badge = 0 } = look;
  const classes = classMap({ round: true, off: isOff, open: isOpen === true || isPressed === true, [look.look ?? 'plain']: true });
  return html`
    <button
      part=${look.part ?? 'button'}
      class=${classes}
      type="button"
      aria-label=${label}
      title=${label}
      aria-pressed=${isPressed ?? nothing}
      aria-expanded=${isOpen ?? nothing}
      @click=${press}
    >
      ${roomIcon(name)}${badge > 0 ? html`<span class="badge" aria-hidden="true">${badge > 99 ? '99+' : badge}</span>` : nothing}
    </button>
  `;
}

/** Hues of faces without a picture: calm, told apart, and with white letters on them of contrast AA. */
const FACES = 8;

/** The first letter of a name on a colour of its own. */
export function renderFace(member: number, name: string): TemplateResult {
  const [first = '?'] = [...new Intl.Segmenter(undefined, { granularity: 'grapheme' }).segment(name)].map(({ segment }) => segment);
  return html`<span class="face face-${member % FACES}" aria-hidden="true">${first.toUpperCase()}</span>`;
}

export function performersOf({ all, own }: RoomView): readonly Performer[] {
  return all.stage.map(({ member, sending }) => ({
    member,
    isOwn: member === own.id,
    isHost: all.members.some(({ id, role }) => id === member && role === 'host'),
    sharesScreen: sending.screen,
  }));
}

export function nameOf({ all }: RoomView, member: number): string {
  return all.members.find(({ id }) => id === member)?.name ?? '–';
}

export function secondsUntil(view: RoomView, untilMs: number): number {
  return Math.max(0, Math.ceil((untilMs - view.session.connection.nowMs()) / 1_000));
}

export function titleOf({ all, words }: RoomView): string {
  return all.about.title === '' ? (words.untitled[all.about.template] ?? words.room) : all.about.title;
}
