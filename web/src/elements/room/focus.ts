//! Keeps the focus where a person would look for it: into a panel that opens, back to what opened it, and out of
//! what has gone away.

import type { Panel } from './ui.ts';

export class FocusKeeper {
  #panel: Panel = 'none';
  #opener: HTMLElement | undefined;
  #before: Element | null = null;

  /** Before a change is drawn. */
  note(root: DocumentFragment | HTMLElement): void {
    this.#before = root instanceof ShadowRoot ? root.activeElement : null;
  }

  /** After it was drawn. */
  keep(root: DocumentFragment | HTMLElement, panel: Panel): void {
    const was = this.#panel;
    this.#panel = panel;
    const shown = root.querySelector<HTMLElement>('.panel');
    if (panel !== was && shown !== null) {
      if (was === 'none' && this.#before instanceof HTMLElement) this.#opener = this.#before;
      // A keyboard on a screen would hide what was said.
      const input = panel === 'chat' && matchMedia('(pointer: fine)').matches ? shown.querySelector<HTMLElement>('input') : null;
      (input ?? shown).focus({ preventScroll: true });
    } else if (panel === 'none' && was !== 'none') {
      if (this.#before?.isConnected !== true && this.#opener?.isConnected === true) this.#opener.focus({ preventScroll: true });
      this.#opener = undefined;
    } else if (shown !== null && this.#before?.isConnected === false) {
      shown.focus({ preventScroll: true });
    }
  }
}
