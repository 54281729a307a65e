//! `<om-lobby>`: what kind of room, by which name; then its link and its QR code.

import { LitElement, type TemplateResult, html } from 'lit';
import { type DemoProblem, type Template, openDemoRoom } from '../../api/demo.ts';
import { keepPreference, readPreference } from '../preference.ts';
import { type RoomIcon, roomIcon } from '../room/icons.ts';
import { RoomWords } from '../room/words.ts';
import { sharedStyles } from '../shared.styles.ts';
import { demoStyles } from './demo.styles.ts';
import { keepInvitation } from './kept.ts';

const KINDS: readonly (readonly [Template, RoomIcon])[] = [
  ['call', 'phone'],
  ['meeting', 'users'],
  ['class-large', 'teacher'],
  ['show', 'mic'],
];
/** Under this the name is kept for the next visit. */
export const NAME = 'name';
export const NAME_MAX = 64;

type View =
  | { readonly kind: 'choosing' }
  | { readonly kind: 'opening' }
  | { readonly kind: 'open'; readonly room: string; readonly link: string }
  | { readonly kind: 'failed'; readonly problem: DemoProblem };

export class DemoLobby extends LitElement {
  static override properties = { view: { state: true }, template: { state: true } };
  static override styles = [sharedStyles, demoStyles];

  declare view: View;
  declare template: Template;
  readonly #localized = new RoomWords(this);

  constructor() {
    super();
    this.view = { kind: 'choosing' };
    this.template = 'call';
  }

  protected override render(): TemplateResult {
    const { words } = this.#localized;
    return html`
      <om-header></om-header>
      <main class="lobby">
        ${this.view.kind === 'open' ? this.#renderOpen(this.view.link) : html`
          <div class="lead"><h1>${words.lobbyTitle}</h1><p class="muted">${words.lobbyText}</p></div>
          ${this.#renderForm()}
        `}
      </main>
    `;
  }

  #renderForm(): TemplateResult {
    const { words } = this.#localized;
    const { view } = this;
    return html`
      <form @submit=${(event: SubmitEvent) => void this.#open(event)}>
        <fieldset>
          <legend>${words.kind}</legend>
          <div class="kinds">
            ${KINDS.map(
              ([template, sign]) => html`
                <label class="kind">
                  <input type="radio" name="template" value=${template} .checked=${template === this.template} @change=${() => (this.template = template)} />
                  ${roomIcon(sign)}<b>${words.kinds[template].name}</b><span>${words.kinds[template].text}</span>
                </label>
              `,
            )}
          </div>
        </fieldset>
        <div class="go">
          <label class="field"><span>${words.yourName}</span><input name="name" required maxlength=${NAME_MAX} autocomplete="nickname" enterkeyhint="go" .value=${readPreference(NAME) ?? ''} /></label>
          <button class="press main large" type="submit" ?disabled=${view.kind === 'opening'}>${view.kind === 'opening' ? words.opening : words.openRoom}</button>
        </div>
        <div role="alert">${view.kind === 'failed' ? html`<p class="problem">${this.#problem(view.problem)}</p>` : ''}</div>
      </form>
    `;
  }

  #renderOpen(link: string): TemplateResult {
    const { words } = this.#localized;
    return html`
      <section class="opened" aria-labelledby="opened">
        <div><h1 id="opened" tabindex="-1">${words.roomReady}</h1><p class="muted">${words.roomReadyText}</p></div>
        <om-share large .url=${link}></om-share>
        <a class="press main large" href=${link}>${words.enter}</a>
      </section>
    `;
  }

  #problem(problem: DemoProblem): string {
    const { words } = this.#localized;
    switch (problem) {
      case 'off':
        return `${words.demoOff}. ${words.demoOffText}`;
      case 'busy':
        return words.demoBusy;
      case 'failed':
        return words.demoFailed;
      case 'away':
        return words.demoAway;
    }
  }

  async #open(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    const name = String(new FormData(event.target as HTMLFormElement).get('name')).trim();
    if (name === '') return;
    keepPreference(NAME, name);
    this.view = { kind: 'opening' };
    const answer = await openDemoRoom(this.template, name);
    if (!answer.ok) {
      this.view = { kind: 'failed', problem: answer.problem };
      return;
    }
    const { room, token } = answer;
    keepInvitation(room, { token, name });
    const link = new URL(`/demo/${encodeURIComponent(room)}`, location.origin);
    if (this.template === 'call') link.searchParams.set('call', name);
    this.view = { kind: 'open', room, link: link.href };
    await this.updateComplete;
    this.renderRoot.querySelector<HTMLElement>('#opened')?.focus();
  }
}
