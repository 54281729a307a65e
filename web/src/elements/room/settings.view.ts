//! Choices: layout, devices, one's name; and for hosts what is open in the room, its title and its end.

import { type TemplateResult, html, nothing } from 'lit';
import type { Layout } from '../../room/layout.ts';
import type { Devices } from '../../room/media.ts';
import type { Open } from '../../room/tracks.ts';
import { type RoomIcon, roomIcon } from './icons.ts';
import { type RoomView, titleOf } from './view.ts';

const LAYOUTS: readonly Layout[] = ['speaker', 'gallery', 'teacher'];
const NAME_MAX = 64;

export function renderSettings(view: RoomView): TemplateResult {
  const { session, words, ui } = view;
  const isUp = session.place !== undefined;
  return html`
    <div class="scroll" tabindex="0" role="group" aria-label=${words.settings}>
      ${isUp ? renderLayouts(view) : nothing}
      <section>${renderSwitch(words.flyingChat, ui.flies, (flies) => ui.set({ flies }))}</section>
      ${isUp ? renderDevices(view) : nothing}
      ${renderText(words.rename, view.own.name, (to) => void session.command({ name: 'rename', to }))}
      ${isUp && session.all?.about.template !== 'call' ? renderDown(view) : nothing}
      ${session.may('configure') ? renderHost(view) : nothing}
    </div>
  `;
}

function renderLayouts({ words, ui, layout }: RoomView): TemplateResult {
  return html`
    <section aria-label=${words.layout}>
      <h3>${words.layout}</h3>
      <div class="choices" role="radiogroup" aria-label=${words.layout}>
        ${LAYOUTS.map(
          (each) => html`
            <label class="choice">
              <input type="radio" name="layout" value=${each} .checked=${each === layout} @change=${() => ui.set({ layout: each, page: 0 })} />
              ${roomIcon(each satisfies RoomIcon)}<span>${words.layoutName(each)}</span>
            </label>
          `,
        )}
      </div>
    </section>
  `;
}

function renderDevices(view: RoomView): TemplateResult {
  const { words, session } = view;
  const devices = session.media?.devices;
  return html`
    <section aria-label=${words.devices}>
      <h3>${words.devices}</h3>
      ${renderSelect(view, 'videoinput', words.camera, words.cameraNumber, devices?.cameraId, (cameraId) => ({ cameraId }))}
      ${renderSelect(view, 'audioinput', words.microphone, words.microphoneNumber, devices?.microphoneId, (microphoneId) => ({ microphoneId }))}
    </section>
  `;
}

function renderSelect(
  { ui, words, session }: RoomView,
  kind: MediaDeviceKind,
  label: string,
  nameOf: (n: number) => string,
  chosen: string | undefined,
  fields: (id: string | undefined) => Partial<Devices>,
): TemplateResult {
  const found = ui.devices.filter((device) => device.kind === kind);
  const choose = (event: Event): void => {
    const { value } = event.target as HTMLSelectElement;
    const devices = session.media?.devices;
    if (devices !== undefined) void session.choose({ ...devices, ...fields(value === '' ? undefined : value) });
  };
  return html`
    <label class="field">
      <span>${label}</span>
      <span class="select"><select ?disabled=${found.length === 0} @change=${choose}>
        <option value="" ?selected=${chosen === undefined}>${words.byDefault}</option>
        ${found.map(({ deviceId, label: name }, at) => html`<option value=${deviceId} ?selected=${deviceId === chosen}>${name === '' ? nameOf(at + 1) : name}</option>`)}
      </select>${roomIcon('chevron')}</span>
    </label>
  `;
}

function renderDown({ session, words }: RoomView): TemplateResult {
  return html`<section><button class="press" type="button" @click=${() => void session.command({ name: 'step_down' })}>${words.stepDown}</button></section>`;
}

function renderHost(view: RoomView): TemplateResult {
  const { session, words, ui, all } = view;
  const set = (fields: Partial<Open>): void => void session.command({ name: 'set_open', open: { ...all.open, ...fields } });
  const end = (): void => void session.command({ name: 'end' });
  return html`
    <section aria-label=${words.forHosts}>
      <h3>${words.forHosts}</h3>
      ${renderText(words.title, titleOf(view), (to) => void session.command({ name: 'set_title', to }))}
      ${renderSwitch(words.door, all.open.door, (door) => set({ door }))}
      ${renderSwitch(words.chatOpen, all.open.chat, (chat) => set({ chat }))}
      ${renderSwitch(words.handsOpen, all.open.hands, (hands) => set({ hands }))}
      ${session.may('mute') ? html`<button class="press" type="button" @click=${() => void session.command({ name: 'mute_all' })}>${words.muteAll}</button>` : nothing}
      ${session.may('end')
        ? html`<button class="press grave" type="button" @click=${() => ui.set({ question: { ...words.sureEnd, doIt: words.endRoom, act: end } })}>${words.endRoom}</button>`
        : nothing}
    </section>
  `;
}

function renderSwitch(label: string, isOn: boolean, set: (isOn: boolean) => void): TemplateResult {
  return html`
    <label class="switch">
      <span>${label}</span>
      <input type="checkbox" role="switch" .checked=${isOn} @change=${(event: Event) => set((event.target as HTMLInputElement).checked)} />
    </label>
  `;
}

function renderText(label: string, value: string, save: (text: string) => void): TemplateResult {
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    const input = (event.target as HTMLFormElement).elements.namedItem('text') as HTMLInputElement;
    if (input.value.trim() !== '' && input.value !== value) save(input.value.trim());
    input.blur();
  };
  return html`
    <form class="field" @submit=${submit}>
      <label><span>${label}</span><input name="text" maxlength=${NAME_MAX} autocomplete="off" enterkeyhint="done" .value=${value} @change=${(event: Event) => (event.target as HTMLInputElement).form?.requestSubmit()} /></label>
    </form>
  `;
}
