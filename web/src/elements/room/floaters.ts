//! What flies over the picture: chat from right to left (弹幕) and reactions upwards. Decoration for the eye: the chat
//! itself and its live region say it to everybody else.

import type { Reaction } from '../../room/tracks.ts';
import { EMOJI } from './reactions.ts';

const LANES = 5;
/** More would be a wall: what finds no free lane is in the chat all the same. */
const LINES_MAX = 12;
const REACTIONS_MAX = 40;
/** Of one message of the server's, which adds up a quarter of a second. */
const BURST_MAX = 6;
const LINE_LENGTH_MAX = 80;
/** A line has left its lane's beginning after this share of its flight. */
const LANE_FREE_MS = 2_600;

export class Floaters {
  readonly layer = document.createElement('div');
  readonly #lanes: number[] = Array.from({ length: LANES }, () => -Infinity);
  readonly #still = matchMedia('(prefers-reduced-motion: reduce)');

  constructor() {
    this.layer.className = 'fly';
    this.layer.ariaHidden = 'true';
  }

  say(text: string, isOwn: boolean): void {
    if (this.#still.matches || document.hidden || this.layer.querySelectorAll('.line').length >= LINES_MAX) return;
    const nowMs = performance.now();
    const lane = this.#lanes.findIndex((freeMs) => freeMs <= nowMs);
    if (lane < 0) return;
    this.#lanes[lane] = nowMs + LANE_FREE_MS;
    const short = text.length > LINE_LENGTH_MAX ? `${text.slice(0, LINE_LENGTH_MAX)}…` : text;
    const line = this.#add(isOwn ? 'line own' : 'line', short.replaceAll('\n', ' '));
    line.style.setProperty('--lane', String(lane));
  }

  react(reaction: Reaction, count: number): void {
    if (this.#still.matches || document.hidden) return;
    const room = REACTIONS_MAX - this.layer.querySelectorAll('.sign').length;
    for (let at = 0; at < Math.min(count, BURST_MAX, room); at += 1) {
      const sign = this.#add('sign', EMOJI[reaction]);
      sign.style.setProperty('--from', `${Math.round(Math.random() * 100)}`);
      sign.style.setProperty('--late', `${at * 90}ms`);
    }
  }

  clear(): void {
    this.layer.replaceChildren();
  }

  #add(className: string, text: string): HTMLElement {
    const element = document.createElement('span');
    element.className = className;
    element.textContent = text;
    element.addEventListener('animationend', () => element.remove());
    this.layer.append(element);
    return element;
  }
}
