//! Gives an element the catalogue of the language that its surroundings declare, and renders it
//! anew when that changes.

import type { ReactiveController, ReactiveControllerHost } from 'lit';
import { type Language, type Messages, messagesOf, pickLanguage } from '../i18n/index.ts';

type Host = ReactiveControllerHost & Element;

export class Localized implements ReactiveController {
  readonly #host: Host;
  readonly #observer = new MutationObserver(() => this.#host.requestUpdate());

  constructor(host: Host) {
    this.#host = host;
    host.addController(this);
  }

  get language(): Language {
    const declared = declaredLanguage(this.#host);
    return pickLanguage(declared === undefined ? navigator.languages : [declared, ...navigator.languages]);
  }

  get messages(): Messages {
    return messagesOf(this.language);
  }

  hostConnected(): void {
    const options = { attributes: true, attributeFilter: ['lang'] };
    this.#observer.observe(document.documentElement, options);
    this.#observer.observe(this.#host, options);
  }

  hostDisconnected(): void {
    this.#observer.disconnect();
  }
}

/** The nearest `lang` above, through shadow roots: our elements sit inside each other's. */
function declaredLanguage(from: Element): string | undefined {
  let at: Element | null = from;
  while (at !== null) {
    const found: HTMLElement | null = at.closest<HTMLElement>('[lang]');
    if (found !== null) return found.lang;
    const root: Node = at.getRootNode();
    at = root instanceof ShadowRoot ? root.host : null;
  }
  return undefined;
}
