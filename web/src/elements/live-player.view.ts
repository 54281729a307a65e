//! What `<live-player>` draws: the picture, the words on it, and controls that get out of the way.

import { type TemplateResult, html, nothing } from 'lit';
import { classMap } from 'lit/directives/class-map.js';
import { delayText } from '../api/format.ts';
import type { Messages } from '../i18n/index.ts';
import { RETRIES_MAX } from '../play/policy.ts';
import { icon } from './icons.ts';
import type { LivePlayer, View } from './live-player.ts';

/** What is said about a state: a line, or a title with help and perhaps a button. */
interface Words {
  readonly line: string;
  readonly help?: string;
  readonly action?: 'play' | 'retry';
  /** What a screen reader says instead: no seconds, or it would speak each of them. */
  readonly said?: string;
  /** Something is under way: a thin bar moves. */
  readonly busy?: boolean;
}

export function renderPlayer(player: LivePlayer, messages: Messages): TemplateResult {
  const words = wordsNow(player, messages);
  const withControls = player.controls !== 'none';
  const classes = { frame: true, quiet: !player.controlsShown };
  return html`
    <div
      part="frame"
      class=${classMap(classes)}
      @keydown=${(event: KeyboardEvent) => player.handleKey(event)}
      @pointermove=${(event: PointerEvent) => event.pointerType === 'mouse' && player.wake()}
      @focusin=${() => player.wake()}
    >
      <video
        part="video"
        playsinline
        ?muted=${player.muted}
        aria-label=${messages.player}
        @click=${(event: PointerEvent) => withControls && handlePictureClick(player, event)}
        @dblclick=${() => withControls && toggleFullScreen(player)}
      ></video>
      <slot></slot>
      <div part="captions" class="captions"><slot name="captions"></slot></div>
      <p class="visually-hidden" role="status">${announced(words, messages)}</p>
      <div part="status" class="status">
        ${words === undefined ? nothing : renderWords(player, words, messages, withControls)}
      </div>
      ${player.needsTap && player.view.kind === 'playing' ? renderTap(player, messages) : nothing}
      ${player.debug ? renderNumbers(player, messages) : nothing}
      ${withControls && hasUseForControls(player) ? renderControls(player, messages) : nothing}
    </div>
  `;
}

function announced(words: Words | undefined, messages: Messages): string {
  if (words === undefined) return messages.playing;
  return words.said ?? [words.line, words.help].filter((text) => text !== undefined).join('. ');
}

/** Before the start and after the end there is one thing to do, and it stands in the middle. */
function hasUseForControls(player: LivePlayer): boolean {
  switch (player.view.kind) {
    case 'idle':
    case 'ended':
    case 'failed':
    case 'no-plan':
      return player.isFullScreen;
    case 'connecting':
    case 'loading':
    case 'playing':
    case 'paused':
    case 'waiting':
    case 'reconnecting':
      return true;
  }
}

function handlePictureClick(player: LivePlayer, event: PointerEvent): void {
  if (event.pointerType === 'touch') player.toggleControls();
  else player.toggle();
}

function toggleFullScreen(player: LivePlayer): void {
  void (player.isFullScreen ? player.exitFullScreen() : player.requestFullScreen());
}

function renderWords(
  player: LivePlayer,
  words: Words,
  messages: Messages,
  withControls: boolean,
): TemplateResult {
  const button = withControls && words.action !== undefined ? renderAction(player, words.action, messages) : nothing;
  return html`
    <div class=${classMap({ words: true, plain: words.help === undefined && words.action === undefined })}>
      <p class="line">${words.line}</p>
      ${words.help === undefined ? nothing : html`<p class="help">${words.help}</p>`}
      ${words.busy === true ? html`<span class="busy" aria-hidden="true"></span>` : nothing} ${button}
    </div>
  `;
}

function renderAction(player: LivePlayer, action: 'play' | 'retry', messages: Messages): TemplateResult {
  const label = action === 'play' ? messages.startPlaying : messages.tryAgain;
  return html`
    <button part="action" class="action" type="button" @click=${() => player.play()}>
      ${icon(action)}<span>${label}</span>
    </button>
  `;
}

function renderTap(player: LivePlayer, messages: Messages): TemplateResult {
  return html`
    <button part="tap" class="tap" type="button" @click=${() => player.mute(false)}>
      ${icon('volumeOff')}<span>${messages.tapForSound}</span>
    </button>
  `;
}

function renderControls(player: LivePlayer, messages: Messages): TemplateResult {
  const running = ['playing', 'loading', 'waiting'].includes(player.view.kind);
  const soundOff = player.soundOff || player.volume === 0;
  return html`
    <div part="controls" class="controls" role="group" aria-label=${messages.player}>
      ${renderButton(running ? 'pause' : 'play', running ? messages.pause : messages.play, () => player.toggle())}
      ${renderButton(soundOff ? 'volumeOff' : 'volume', soundOff ? messages.unmute : messages.mute, () => player.mute())}
      <input
        part="volume"
        class="volume"
        type="range"
        min="0"
        max="1"
        step="0.05"
        aria-label=${messages.volume}
        .value=${String(soundOff ? 0 : player.volume)}
        @input=${(event: Event) => {
          player.volume = Number((event.target as HTMLInputElement).value);
        }}
      />
      ${renderBadge(player, messages)}
      <span class="gap"></span>
      ${player.hasPictureInPicture ? renderPictureInPicture(player, messages) : nothing}
      ${renderButton(
        player.isFullScreen ? 'minimize' : 'maximize',
        player.isFullScreen ? messages.exitFullScreen : messages.fullScreen,
        () => toggleFullScreen(player),
      )}
    </div>
  `;
}

function renderPictureInPicture(player: LivePlayer, messages: Messages): TemplateResult {
  const active = player.isPictureInPicture;
  const label = active ? messages.exitPictureInPicture : messages.pictureInPicture;
  return renderButton('pictureInPicture', label, () => {
    const done = active ? player.exitPictureInPicture() : player.requestPictureInPicture();
    // Before the first picture the browser refuses; nothing to say about that.
    done.catch(() => undefined);
  });
}

function renderButton(name: Parameters<typeof icon>[0], label: string, press: () => void): TemplateResult {
  return html`
    <button part="button" class="button" type="button" aria-label=${label} title=${label} @click=${press}>
      ${icon(name)}
    </button>
  `;
}

/** Which way the picture comes and how far behind live it is; pressing it goes to live. */
function renderBadge(player: LivePlayer, messages: Messages): TemplateResult | typeof nothing {
  const { delay, transport } = player;
  const shown = ['playing', 'loading', 'paused'].includes(player.view.kind);
  if (delay === undefined || transport === undefined || !shown) return nothing;
  const name = messages.transportName(transport);
  const told = delayText(delay, transport, messages);
  const label = messages.delayLabel(`${name} · ${told}`);
  return html`
    <button
      part="badge"
      class=${classMap({ badge: true, behind: player.isBehind })}
      type="button"
      aria-label=${label}
      title=${label}
      @click=${() => player.goLive()}
    >
      <span class="dot" aria-hidden="true"></span>
      <span>${name}</span>
      <span class="delay">· ${told}</span>
    </button>
  `;
}

function renderNumbers(player: LivePlayer, messages: Messages): TemplateResult {
  const info = player.netstatus;
  const rows = info === undefined ? [] : Object.entries(info);
  return html`
    <dl part="numbers" class="numbers" aria-label=${messages.debugTitle}>
      ${rows.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}
    </dl>
  `;
}

/** The words for a view; undefined while the picture speaks for itself. */
/** Sound alone is no trouble of the player's: whatever it makes of a picture that stands still, this is why. */
function wordsNow(player: LivePlayer, messages: Messages): Words | undefined {
  const isOn = player.view.kind === 'playing' || player.view.kind === 'loading';
  return isOn && player.isSoundOnly ? { line: messages.soundOnly } : wordsOf(player.view, messages);
}

function wordsOf(view: View, messages: Messages): Words | undefined {
  switch (view.kind) {
    case 'playing':
      return undefined;
    case 'idle':
      return { line: '', action: 'play' };
    case 'connecting':
      return { line: messages.connecting(messages.transportName(view.engine)), busy: true };
    case 'loading':
      return { line: messages.loading, busy: true };
    case 'paused':
      return { line: messages.paused, action: 'play' };
    case 'waiting': {
      const seconds = Math.max(0, Math.round((performance.now() - view.sinceMs) / 1000));
      return view.publisherLeft
        ? { line: messages.waitingPublisher(seconds), said: messages.waitingPublisherSaid, busy: true }
        : { line: messages.waitingData(seconds), said: messages.waitingDataSaid, busy: true };
    }
    case 'reconnecting': {
      const say = view.offline ? messages.lookingAgain : messages.reconnecting;
      return { line: say(view.attempt, RETRIES_MAX), busy: true };
    }
    case 'ended':
      return {
        line: messages.ended,
        help: view.resumeAtMs === undefined ? messages.endedHelp : messages.resumesByItself,
        action: 'retry',
      };
    case 'failed':
      return wordsOfFailure(view, messages);
    case 'no-plan':
      return wordsOfProblem(view.problem, messages);
  }
}

function wordsOfFailure(view: Extract<View, { kind: 'failed' }>, messages: Messages): Words {
  const { title, help } = messages.failure(view.failure.kind);
  const resumes = view.resumeAtMs !== undefined && view.failure.kind === 'offline';
  return { line: title, help: resumes ? messages.startsByItself : help, action: 'retry' };
}

function wordsOfProblem(problem: Extract<View, { kind: 'no-plan' }>['problem'], messages: Messages): Words {
  const say = (text: { title: string; help: string }): Words => ({ line: text.title, help: text.help });
  switch (problem) {
    case 'empty':
      return say(messages.noAddress);
    case 'malformed':
      return say(messages.badAddress);
    case 'rtmp-elsewhere':
      return say(messages.rtmpElsewhere);
    case 'unsupported-browser':
      return say(messages.noSupport);
  }
}
