//! What asks for an answer: an invitation, a request to unmute, a question before what cannot be undone; and notices.

import { type TemplateResult, html, nothing } from 'lit';
import type { Media } from '../../room/tracks.ts';
import { roomIcon } from './icons.ts';
import { type RoomView, secondsUntil } from './view.ts';

export function renderCards(view: RoomView): TemplateResult {
  const { ui, words, own, isSoundBlocked, allowSound } = view;
  const asked = own.asked.filter((media) => !ui.declined.has(media));
  return html`
    <div class="cards">
      <div role="alert" class="asks">
        ${own.invited_until === null ? nothing : renderInvitation(view, own.invited_until)}
        ${asked.map((media) => renderAsked(view, media))}
      </div>
      ${isSoundBlocked ? html`<button class="wide main" type="button" @click=${allowSound}>${roomIcon('volumeOff')}<span>${words.tapForSound}</span></button>` : nothing}
      <div role="status" aria-live="polite">
        ${ui.notice === undefined
          ? nothing
          : html`<p part="notice" class="notice">
              <span>${words.notice(ui.notice)}</span>
              <button class="round small" type="button" aria-label=${words.close} title=${words.close} @click=${() => ui.dismiss()}>${roomIcon('close')}</button>
            </p>`}
      </div>
    </div>
  `;
}

function renderInvitation(view: RoomView, until: number): TemplateResult {
  const { words, session } = view;
  return html`
    <div part="card" class="card">
      <div><h3>${words.invitedTitle}</h3><p>${words.invitedHelp} <span class="figures" aria-hidden="true">${words.secondsLeft(secondsUntil(view, until))}</span></p></div>
      <div class="row">
        <button class="press main" type="button" @click=${() => void session.command({ name: 'accept' })}>${words.stepUp}</button>
        <button class="press" type="button" @click=${() => void session.command({ name: 'decline' })}>${words.notNow}</button>
      </div>
    </div>
  `;
}

/** Nothing is switched on for anybody: it is asked for, and may stay off. */
function renderAsked({ words, session, ui }: RoomView, media: Media): TemplateResult {
  const accept = (): void => {
    if (media === 'sound') void session.setSound(true);
    else if (media === 'picture') void session.setPicture(true);
    else void session.setScreen(true);
  };
  const decline = (): void => {
    ui.declined.add(media);
    ui.set({});
  };
  const label = { sound: words.micOn, picture: words.cameraOn, screen: words.shareScreen }[media];
  return html`
    <div part="card" class="card">
      <h3>${words.askedTitle(media)}</h3>
      <div class="row">
        <button class="press main" type="button" @click=${accept}>${label}</button>
        <button class="press" type="button" @click=${decline}>${words.later}</button>
      </div>
    </div>
  `;
}

export function renderQuestion({ ui, words }: RoomView): TemplateResult | typeof nothing {
  const { question } = ui;
  if (question === undefined) return nothing;
  const close = (event: Event): void => {
    if ((event.target as HTMLDialogElement).returnValue === 'yes') question.act();
    ui.set({ question: undefined });
  };
  return html`
    <dialog class="question" aria-labelledby="question" aria-describedby="question-text" @close=${close}>
      <form method="dialog">
        <h3 id="question">${question.title}</h3>
        <p id="question-text">${question.text}</p>
        <div class="row">
          <button class="press" value="no" autofocus>${words.cancel}</button>
          <button class="press grave" value="yes">${question.doIt}</button>
        </div>
      </form>
    </dialog>
  `;
}
