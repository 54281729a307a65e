//! The bars over the stage: where one is at the top, one's own controls at the bottom.

import { type TemplateResult, html, nothing } from 'lit';
import { canShareScreen } from '../live-pusher.view.ts';
import type { Reaction } from '../../room/tracks.ts';
import { roomIcon } from './icons.ts';
import { EMOJI, REACTIONS } from './reactions.ts';
import { type RoomView, renderButton, secondsUntil, titleOf } from './view.ts';

export function renderTop(view: RoomView): TemplateResult {
  const { all, ui, words, session } = view;
  const count = all.members.length + all.audience;
  const hands = session.hosts?.hands.length ?? 0;
  const label = [words.people, words.peopleCount(count), ...(hands > 0 ? [words.handsCount(hands)] : [])].join(', ');
  return html`
    <header part="top" class="top">
      <h2 class="title">${titleOf(view)}</h2>
      ${all.open.door ? nothing : html`<p class="pill">${roomIcon('lock')}<span>${words.locked}</span></p>`}
      <span class="gap"></span>
      ${session.place === undefined ? nothing : renderLayoutSwitch(view)}
      <button part="button" class="count figures" type="button" aria-label=${label} aria-expanded=${ui.panel === 'people'} @click=${() => ui.toggle('people')}>
        ${roomIcon('users')}<span>${count}</span>${hands > 0 ? html`<span class="hands">${roomIcon('hand')}${hands}</span>` : nothing}
      </button>
    </header>
  `;
}

/** To the other one of the two that a person wants most; settings have all. */
function renderLayoutSwitch({ layout, ui, words }: RoomView): TemplateResult {
  const other = layout === 'gallery' ? 'speaker' : 'gallery';
  const label = `${words.layout}: ${words.layoutName(other)}`;
  return renderButton(other, label, () => ui.set({ layout: other, page: 0 }), { look: 'small' });
}

export function renderControls(view: RoomView): TemplateResult {
  const { ui, words, session } = view;
  const isUp = session.place !== undefined;
  const isCall = view.all.about.template === 'call';
  return html`
    <div part="controls" class="bar" role="group" aria-label=${words.controls}>
      ${isUp ? renderSending(view) : renderWayUp(view)}
      ${session.may('react') ? renderButton('smile', words.react, () => ui.set({ isReacting: !ui.isReacting }), { isOpen: ui.isReacting }) : nothing}
      ${renderButton('chat', ui.unread > 0 ? `${words.chat}, ${words.unread(ui.unread)}` : words.chat, () => ui.toggle('chat'), {
        ...{ isOpen: ui.panel === 'chat', badge: ui.unread },
      })}
      ${renderButton('more', words.more, () => ui.toggle('settings'), { isOpen: ui.panel === 'settings' })}
      ${isCall ? renderButton('phoneOff', words.hangUp, view.leave, { look: 'end', part: 'leave' }) : renderButton('leave', words.leave, view.leave, { look: 'end', part: 'leave' })}
    </div>
    ${ui.isReacting ? renderReactions(view) : nothing}
  `;
}

function renderSending({ session, words, isNarrow }: RoomView): TemplateResult {
  const { sound, picture, screen } = session.sending;
  const maySend = { sound: session.may('sound') || sound, picture: session.may('picture') || picture, screen: session.may('screen') || screen };
  return html`
    ${!maySend.sound
      ? nothing
      : sound
        ? renderButton('mic', words.micOff, () => void session.setSound(false))
        : renderButton('micOff', words.micOn, () => void session.setSound(true), { isOff: true })}
    ${!maySend.picture
      ? nothing
      : picture
        ? renderButton('video', words.cameraOff, () => void session.setPicture(false))
        : renderButton('videoOff', words.cameraOn, () => void session.setPicture(true), { isOff: true })}
    ${!maySend.screen || !canShareScreen() || isNarrow
      ? nothing
      : renderButton('screen', screen ? words.stopScreen : words.shareScreen, () => void session.setScreen(!screen), { isPressed: screen })}
  `;
}

/** The way to the stage for whoever watches: by oneself, or by raising a hand. */
function renderWayUp({ session, own, words }: RoomView): TemplateResult | typeof nothing {
  if (session.may('step_up')) {
    return html`<button part="button" class="wide main" type="button" @click=${() => void session.command({ name: 'step_up' })}>
      ${roomIcon('mic')}<span>${words.stepUp}</span>
    </button>`;
  }
  if (own.hand !== null) {
    return html`<button part="button" class="wide raised" type="button" aria-label=${`${words.lowerHand}. ${words.handAhead(own.hand.ahead)}`} @click=${() => void session.lowerHand()}>
      ${roomIcon('hand')}<span>${words.handAhead(own.hand.ahead)}</span>
    </button>`;
  }
  if (!session.may('hand') || session.all?.open.hands !== true) return nothing;
  return html`<button part="button" class="wide" type="button" @click=${() => void session.command({ name: 'raise_hand' })}>
    ${roomIcon('hand')}<span>${words.raiseHand}</span>
  </button>`;
}

function renderReactions({ session, words }: RoomView): TemplateResult {
  return html`
    <div class="reactions" role="group" aria-label=${words.react}>
      ${REACTIONS.map(
        (reaction: Reaction) => html`
          <button class="emoji" type="button" aria-label=${words.reaction(reaction)} title=${words.reaction(reaction)} @click=${() => session.react(reaction)}>
            ${EMOJI[reaction]}
          </button>
        `,
      )}
    </div>
  `;
}

/** What has to be known about the connection, in words; the most urgent alone. */
export function renderState(view: RoomView): TemplateResult {
  const { session, words, all } = view;
  const line = stateLine(view);
  const { phase } = session;
  const said = phase.kind === 'away' ? words.awaySaid : all.host_until === null ? line : words.hostAwaySaid;
  return html`
    <p class="visually-hidden" role="status">${said}</p>
    ${line === '' ? nothing : html`<p part="state" class="line figures" aria-hidden="true">${line}</p>`}
  `;
}

function stateLine(view: RoomView): string {
  const { session, words, all } = view;
  const { phase, media } = session;
  if (phase.kind === 'away') return words.away(Math.round((performance.now() - phase.sinceMs) / 1_000));
  if (media?.place !== undefined) {
    const { downPhase, upPhase } = media;
    if (downPhase.kind === 'interrupted' || upPhase.kind === 'interrupted') return words.stageInterrupted;
    if (downPhase.kind === 'reconnecting') return words.stageAgain(downPhase.attempt);
    if (upPhase.kind === 'reconnecting') return words.stageAgain(upPhase.attempt);
    if (downPhase.kind === 'connecting' && all.stage.length > 1) return words.connectingStage;
  }
  return all.host_until === null ? '' : words.hostAway(secondsUntil(view, all.host_until));
}
