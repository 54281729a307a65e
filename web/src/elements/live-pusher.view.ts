//! What `<live-pusher>` draws: the preview, the words on it, and controls.

import { type TemplateResult, html, nothing } from 'lit';
import { classMap } from 'lit/directives/class-map.js';
import { bitrate, clockSpan } from '../api/format.ts';
import type { Messages } from '../i18n/index.ts';
import { icon } from './icons.ts';
import type { LivePusher } from './live-pusher.ts';

/** What is said about a state: a line, or a title with help. */
interface Words {
  readonly line: string;
  readonly help?: string;
  /** What a screen reader says instead: no seconds, or it would speak each of them. */
  readonly said?: string;
  readonly busy?: boolean;
}

export function renderPusher(pusher: LivePusher, messages: Messages): TemplateResult {
  const words = wordsOf(pusher, messages);
  const { notice } = pusher;
  return html`
    <div part="frame" class="frame">
      <video
        part="video"
        class=${classMap({ mirrored: pusher.isPreviewMirrored })}
        playsinline
        autoplay
        muted
        .muted=${true}
        aria-label=${messages.push.preview}
      ></video>
      <slot></slot>
      <p class="visually-hidden" role="status">${announced(pusher, words, messages)}</p>
      <div part="status" class="status">${words === undefined ? nothing : renderWords(words)}</div>
      <div class="top">
        ${renderBadge(pusher, messages)}
        <div role="status" class="said">
          ${notice === undefined ? nothing : renderNotice(pusher, messages.push.notice(notice), messages)}
        </div>
      </div>
      ${pusher.debug ? renderNumbers(pusher, messages) : nothing}
      ${pusher.controls === 'none' ? nothing : renderControls(pusher, messages)}
      ${pusher.hasMicrophone ? html`<div part="level" class="level" aria-hidden="true"><span></span></div>` : nothing}
    </div>
  `;
}

function announced({ view }: LivePusher, words: Words | undefined, messages: Messages): string {
  if (words !== undefined) return words.said ?? [words.line, words.help].filter((text) => text !== undefined).join('. ');
  return view.kind === 'live' ? messages.push.liveSaid : messages.push.ready;
}

function renderWords({ line, help, busy }: Words): TemplateResult {
  return html`
    <div class=${classMap({ words: true, plain: help === undefined })}>
      <p class="line">${line}</p>
      ${help === undefined ? nothing : html`<p class="help">${help}</p>`}
      ${busy === true ? html`<span class="busy" aria-hidden="true"></span>` : nothing}
    </div>
  `;
}

function renderNotice(pusher: LivePusher, text: string, messages: Messages): TemplateResult {
  return html`
    <p part="notice" class="notice">
      <span>${text}</span>
      <button class="button" type="button" aria-label=${messages.push.dismiss} title=${messages.push.dismiss} @click=${() => pusher.dismissNotice()}>
        ${icon('close')}
      </button>
    </p>
  `;
}

/** For how long one has been on air, and how much gets through. */
function renderBadge({ view, netstatus }: LivePusher, messages: Messages): TemplateResult | typeof nothing {
  if (view.kind !== 'live') return nothing;
  const lasted = clockSpan((performance.now() - view.sinceMs) / 1000);
  return html`
    <p part="badge" class="badge">
      <span class="dot" aria-hidden="true"></span><span>${messages.push.live}</span>
      <span class="delay">${lasted}</span>
      ${netstatus === undefined ? nothing : html`<span class="delay rate">${bitrate(netstatus.netSpeed * 1000)}</span>`}
    </p>
  `;
}

function renderControls(pusher: LivePusher, messages: Messages): TemplateResult {
  const { push } = messages;
  const micOff = pusher.muted || !pusher.enableMic;
  const isScreen = pusher.source === 'screen';
  return html`
    <div part="controls" class="controls" role="group" aria-label=${push.preview}>
      ${micOff
        ? renderButton('micOff', push.microphoneOn, () => toggleMicrophone(pusher), true)
        : renderButton('mic', push.microphoneOff, () => toggleMicrophone(pusher))}
      ${pusher.enableCamera
        ? renderButton('video', push.cameraOff, () => (pusher.enableCamera = false))
        : renderButton('videoOff', push.cameraOn, () => (pusher.enableCamera = true), true)}
      ${isScreen ? nothing : renderButton('switchCamera', push.switchCamera, () => void pusher.switchCamera())}
      ${canShareScreen() ? renderButton('screenShare', isScreen ? push.stopScreen : push.shareScreen, () => toggleScreen(pusher)) : nothing}
      <span class="gap"></span>
      ${pusher.isLive
        ? html`<button part="action" class="action end" type="button" @click=${() => pusher.stop()}>${push.end}</button>`
        : html`<button part="action" class="action" type="button" @click=${() => void pusher.start()}>
            ${icon('radio')}<span>${push.goLive}</span>
          </button>`}
    </div>
  `;
}

function toggleMicrophone(pusher: LivePusher): void {
  if (!pusher.enableMic) pusher.enableMic = true;
  else pusher.muted = !pusher.muted;
}

function toggleScreen(pusher: LivePusher): void {
  pusher.source = pusher.source === 'screen' ? 'camera' : 'screen';
}

/** Phones have no such thing. */
export function canShareScreen(): boolean {
  return 'getDisplayMedia' in ((navigator as { readonly mediaDevices?: MediaDevices }).mediaDevices ?? {});
}

/** `isOff`: what it stands for is off, which must be seen at a glance. */
function renderButton(name: Parameters<typeof icon>[0], label: string, press: () => void, isOff = false): TemplateResult {
  const classes = classMap({ button: true, off: isOff });
  return html`
    <button part="button" class=${classes} type="button" aria-label=${label} title=${label} @click=${press}>${icon(name)}</button>
  `;
}

function renderNumbers({ netstatus }: LivePusher, messages: Messages): TemplateResult {
  const rows = netstatus === undefined ? [] : Object.entries(netstatus);
  return html`
    <dl part="numbers" class="numbers" aria-label=${messages.debugTitle}>
      ${rows.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}
    </dl>
  `;
}

/** The words for a view; undefined while the picture speaks for itself. */
function wordsOf(pusher: LivePusher, messages: Messages): Words | undefined {
  const { view } = pusher;
  const { push } = messages;
  switch (view.kind) {
    case 'idle':
      return undefined;
    case 'preview':
    case 'live':
      return wordsOfRefusal(pusher, messages);
    case 'opening':
      return { line: push.opening, busy: true };
    case 'connecting':
      return { line: push.connecting, busy: true };
    case 'paused':
      return { line: push.paused };
    case 'interrupted': {
      const seconds = Math.max(0, Math.round((performance.now() - view.sinceMs) / 1000));
      return { line: push.interrupted(seconds), said: push.interruptedSaid, busy: true };
    }
    case 'reconnecting':
      return { line: push.reconnecting(view.attempt), busy: true };
    case 'failed':
      return say(push.failure(view.failure.kind));
    case 'no-plan':
      return say(view.problem === 'no-address' ? push.noAddress : push.noSupport);
  }
}

/** While on air with one of the two, a line is enough; before, it must be said what to do. */
function wordsOfRefusal(pusher: LivePusher, { push }: Messages): Words | undefined {
  const refusal = pusher.refusals[0];
  if (refusal === undefined) return undefined;
  const { title, help } = push.refusal(refusal.device, refusal.kind);
  return pusher.view.kind === 'live' ? { line: title } : { line: title, help };
}

function say({ title, help }: { readonly title: string; readonly help: string }): Words {
  return { line: title, help };
}
