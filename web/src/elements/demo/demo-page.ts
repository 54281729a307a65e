//! `<om-demo>`: which page of the demo it is, from its address; and the way from one to the next.

import { LitElement, type TemplateResult, css, html } from 'lit';
import { RoomWords } from '../room/words.ts';
import { sharedStyles } from '../shared.styles.ts';
import { type Choice, keepPresence, keptPresence } from './kept.ts';

/** `/demo/abcd-efgh`; a call says in `?call=` who calls. */
const ROOM = /^\/demo\/([^/]+)\/?$/;

export class DemoPage extends LitElement {
  static override properties = { choice: { state: true } };
  static override styles = [
    sharedStyles,
    css`
      live-room {
        block-size: 100dvh;
      }

      a.again {
        display: inline-grid;
        align-items: center;
        min-block-size: 44px;
        color: #ffffff;
      }
    `,
  ];

  declare choice: Choice | undefined;
  readonly #localized = new RoomWords(this);
  readonly #room = ROOM.exec(location.pathname)?.[1];

  constructor() {
    super();
    this.choice = undefined;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    const { words } = this.#localized;
    document.title = `${this.#room === undefined ? words.lobbyTitle : words.room} · openmic`;
    // Loaded anew, the page is where it was.
    const presence = this.#room === undefined ? undefined : keptPresence(this.#room);
    if (presence !== undefined) void this.#enter(presence);
  }

  protected override render(): TemplateResult {
    const room = this.#room;
    if (room === undefined) return html`<om-lobby></om-lobby>`;
    const { choice } = this;
    if (choice === undefined) return html`<om-join .room=${room} @chosen=${(event: CustomEvent<Choice>) => void this.#enter(event.detail)}></om-join>`;
    const { words } = this.#localized;
    return html`
      <main>
      <h1 class="visually-hidden">${words.room}</h1>
      <live-room
        url="/rooms/${room}/ws"
        .token=${choice.token}
        .name=${choice.name}
        .muted=${choice.muted}
        .cameraOff=${choice.cameraOff}
        .cameraId=${choice.cameraId}
        .microphoneId=${choice.microphoneId}
        @wantschange=${({ detail }: CustomEvent<Pick<Choice, 'muted' | 'cameraOff'>>) => keepPresence(room, { ...choice, ...detail })}
        @left=${() => keepPresence(room, undefined)}
      >
        <om-share slot="invite" .url=${linkOf(room)}></om-share>
        <a slot="over" class="again" href="/demo">${words.newRoom}</a>
      </live-room>
      </main>
    `;
  }

  /** The room is loaded when somebody goes in: its lobby is light. */
  async #enter(choice: Choice): Promise<void> {
    await import('../../room.ts');
    document.documentElement.classList.add('cinema');
    if (this.#room !== undefined) keepPresence(this.#room, choice);
    this.choice = choice;
  }
}

/** The link that brings others in; of a call, with its caller. */
function linkOf(room: string): string {
  const url = new URL(`/demo/${room}`, location.origin);
  const caller = new URLSearchParams(location.search).get('call');
  if (caller !== null) url.searchParams.set('call', caller);
  return url.href;
}
