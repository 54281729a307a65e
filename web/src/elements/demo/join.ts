//! `<om-join>`: one's name, how one looks and whether one is heard; then into the room. Somebody who is called sees who
//! calls, and may decline.

import { LitElement, type TemplateResult, html, nothing } from 'lit';
import { type DemoProblem, joinDemoRoom } from '../../api/demo.ts';
import { declineCall } from '../../room/decline.ts';
import { dialWebSocket, socketUrl } from '../../room/wire.ts';
import { LivePusher } from '../live-pusher.ts';
import { keepPreference, readPreference } from '../preference.ts';
import { type RoomIcon, roomIcon } from '../room/icons.ts';
import { RoomWords } from '../room/words.ts';
import { selectStyles } from '../select.styles.ts';
import { sharedStyles } from '../shared.styles.ts';
import { demoStyles } from './demo.styles.ts';
import { type Choice, keepInvitation, keptInvitation } from './kept.ts';
import { NAME, NAME_MAX } from './lobby.ts';

if (customElements.get('live-pusher') === undefined) customElements.define('live-pusher', LivePusher);

export class DemoJoin extends LitElement {
  static override properties = { room: {}, problem: { state: true }, busy: { state: true }, devices: { state: true }, isDeclined: { state: true } };
  static override styles = [sharedStyles, demoStyles, selectStyles];

  declare room: string;
  declare problem: DemoProblem | undefined;
  declare busy: boolean;
  declare devices: readonly MediaDeviceInfo[];
  declare isDeclined: boolean;
  readonly #localized = new RoomWords(this);

  constructor() {
    super();
    Object.assign(this, { room: '', problem: undefined, busy: false, devices: [], isDeclined: false });
  }

  protected override firstUpdated(): void {
    void this.#startIfAllowed();
  }

  protected override render(): TemplateResult {
    const { words } = this.#localized;
    const kept = keptInvitation(this.room);
    const caller = kept === undefined ? new URLSearchParams(location.search).get('call') : null;
    if (this.problem === 'off') return this.#renderNone(words.noRoom, words.noRoomText);
    if (this.isDeclined) return this.#renderNone(words.ending('declined', '').title, words.ending('declined', '').help);
    const hasPreview = this.#pusher()?.view.kind === 'preview';
    return html`
      <om-header></om-header>
      <main class="join">
        <div class="mirror">
          <live-pusher
            controls="none"
            orientation="horizontal"
            enable-agc
            enable-ans
            @viewchange=${() => this.requestUpdate()}
            @error=${() => this.requestUpdate()}
            @deviceschange=${() => void this.#list()}
          ></live-pusher>
          ${hasPreview ? this.#renderSwitches() : this.#renderCheck()}
        </div>
        <form @submit=${(event: SubmitEvent) => void this.#join(event)}>
          <div class="lead"><h1>${caller === null ? words.joinTitle : words.incoming(caller)}</h1><p class="muted">${words.joinText}</p></div>
          <label class="field"><span>${words.yourName}</span><input name="name" required maxlength=${NAME_MAX} autocomplete="nickname" enterkeyhint="go" ?readonly=${kept !== undefined} .value=${kept?.name ?? readPreference(NAME) ?? ''} /></label>
          ${hasPreview ? html`${this.#renderSelect('videoinput', words.camera)}${this.#renderSelect('audioinput', words.microphone)}` : nothing}
          <div class="buttons">
            <button class="press main large" type="submit" ?disabled=${this.busy}>${roomIcon(caller === null ? 'right' : 'phone')}<span>${caller === null ? words.join : words.accept}</span></button>
            ${caller === null ? nothing : html`<button class="press large danger" type="button" @click=${() => void this.#decline()}>${roomIcon('phoneOff')}<span>${words.decline}</span></button>`}
          </div>
          <div role="alert">${this.problem === undefined ? nothing : html`<p class="problem">${this.problem === 'busy' ? words.demoBusy : this.problem === 'away' ? words.demoAway : words.demoFailed}</p>`}</div>
        </form>
      </main>
    `;
  }

  #renderNone(title: string, text: string): TemplateResult {
    const { words } = this.#localized;
    return html`
      <om-header></om-header>
      <main class="lobby"><section class="opened" role="alert"><div><h1>${title}</h1><p class="muted">${text}</p></div><a class="press main large" href="/demo">${words.newRoom}</a></section></main>
    `;
  }

  /** The permission is asked for by a button that says why, not by a page that has just been opened. */
  #renderCheck(): TemplateResult {
    const { words } = this.#localized;
    return html`
      <div class="check">
        <button class="press main large" type="button" @click=${() => void this.#pusher()?.startPreview()}>${roomIcon('video')}<span>${words.checkOn}</span></button>
        <p>${words.checkHelp}</p>
      </div>
    `;
  }

  #renderSwitches(): TemplateResult {
    const { words } = this.#localized;
    const pusher = this.#pusher();
    const [muted, camera] = [pusher?.muted === true, pusher?.enableCamera === true];
    const button = (name: RoomIcon, label: string, isOff: boolean, press: () => void): TemplateResult => html`
      <button class=${isOff ? 'round off' : 'round'} type="button" aria-label=${label} title=${label} @click=${press}>${roomIcon(name)}</button>
    `;
    const toggle = (change: (pusher: LivePusher) => void): void => {
      if (pusher !== undefined) change(pusher);
      this.requestUpdate();
    };
    return html`
      <div class="switches" role="group" aria-label=${words.devices}>
        ${button(muted ? 'micOff' : 'mic', muted ? words.micOn : words.micOff, muted, () => toggle((each) => (each.muted = !muted)))}
        ${button(camera ? 'video' : 'videoOff', camera ? words.cameraOff : words.cameraOn, !camera, () => toggle((each) => (each.enableCamera = !camera)))}
      </div>
    `;
  }

  #renderSelect(kind: MediaDeviceKind, label: string): TemplateResult {
    const { words } = this.#localized;
    const found = this.devices.filter((device) => device.kind === kind);
    const nameOf = kind === 'videoinput' ? words.cameraNumber : words.microphoneNumber;
    const choose = (event: Event): void => {
      const { value } = event.target as HTMLSelectElement;
      const pusher = this.#pusher();
      if (pusher === undefined) return;
      if (kind === 'videoinput') pusher.cameraId = value === '' ? undefined : value;
      else pusher.microphoneId = value === '' ? undefined : value;
    };
    return html`
      <label class="field">
        <span>${label}</span>
        <span class="select"><select ?disabled=${found.length === 0} @change=${choose}>
          <option value="">${words.byDefault}</option>
          ${found.map(({ deviceId, label: name }, at) => html`<option value=${deviceId}>${name === '' ? nameOf(at + 1) : name}</option>`)}
        </select>${roomIcon('chevron')}</span>
      </label>
    `;
  }

  #pusher(): LivePusher | undefined {
    return this.renderRoot.querySelector('live-pusher') ?? undefined;
  }

  async #token(name: string): Promise<string | undefined> {
    const kept = keptInvitation(this.room);
    if (kept !== undefined) return kept.token;
    const answer = await joinDemoRoom(this.room, name);
    this.problem = answer.ok ? undefined : answer.problem;
    if (!answer.ok) return undefined;
    // Loaded anew, the page comes back as the same member.
    keepInvitation(this.room, { token: answer.token, name });
    return answer.token;
  }

  async #join(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    const name = String(new FormData(event.target as HTMLFormElement).get('name')).trim();
    if (name === '' || this.busy) return;
    keepPreference(NAME, name);
    this.busy = true;
    const token = await this.#token(name);
    this.busy = false;
    if (token === undefined) return;
    const pusher = this.#pusher();
    // Without a preview nothing was allowed yet; the room asks for what is needed.
    const choice: Choice = {
      ...{ token, name, muted: pusher?.muted === true, cameraOff: pusher?.enableCamera === false },
      ...{ cameraId: pusher?.cameraId, microphoneId: pusher?.microphoneId },
    };
    pusher?.stopPreview();
    this.dispatchEvent(new CustomEvent('chosen', { detail: choice }));
  }

  async #decline(): Promise<void> {
    const name = this.renderRoot.querySelector<HTMLInputElement>('input[name=name]')?.value.trim() ?? '';
    const token = await this.#token(name === '' ? '–' : name);
    if (token === undefined) return;
    declineCall(socketUrl(`/rooms/${this.room}/ws`, location.href), token, dialWebSocket);
    this.#pusher()?.stopPreview();
    this.isDeclined = true;
  }

  async #list(): Promise<void> {
    this.devices = (await this.#pusher()?.devices()) ?? [];
  }

  /** Somebody who has allowed both before is not asked to press a button first. */
  async #startIfAllowed(): Promise<void> {
    try {
      const names = ['camera', 'microphone'] as PermissionName[];
      const states = await Promise.all(names.map((name) => navigator.permissions.query({ name })));
      if (states.every(({ state }) => state === 'granted')) await this.#pusher()?.startPreview();
    } catch {
      // A browser that does not tell: the button is there.
    }
  }
}
