//! Who is in the room: hands in their order, the stage, the others; and what a host may do with each.

import { type TemplateResult, html, nothing } from 'lit';
import { repeat } from 'lit/directives/repeat.js';
import type { Hosts, Person } from '../../room/tracks.ts';
import { type RoomIcon, roomIcon } from './icons.ts';
import { type Action, actionsOn } from './actions.ts';
import { type RoomView, renderFace, secondsUntil } from './view.ts';

export function renderPeople(view: RoomView): TemplateResult {
  const { all, words, session } = view;
  const isUp = ({ id }: Person): boolean => all.stage.some(({ member }) => member === id);
  const up = all.stage.flatMap(({ member }) => all.members.filter(({ id }) => id === member));
  const below = all.members.filter((person) => !isUp(person));
  const { hosts } = session;
  return html`
    <div class="scroll" tabindex="0" role="group" aria-label=${words.people}>
      <slot name="invite"></slot>
      ${hosts === undefined || hosts.hands.length === 0 ? nothing : renderHands(view, hosts)}
      ${up.length === 0 ? nothing : renderList(view, words.onStage, up)}
      ${below.length === 0 && all.audience === 0 ? nothing : renderList(view, words.inRoom, below)}
      ${all.audience === 0 ? nothing : html`<p class="none figures">${words.counted(all.audience)}</p>`}
      ${hosts === undefined || hosts.bans.length === 0 ? nothing : renderBans(view, hosts)}
    </div>
  `;
}

function renderHands(view: RoomView, { hands }: Hosts): TemplateResult {
  const { words, session } = view;
  return html`
    <section aria-label=${words.hands}>
      <div class="heading">
        <h3>${words.hands} <span class="figures">${hands.length}</span></h3>
        <button class="press main" type="button" @click=${() => void session.command({ name: 'next_hand' })}>${words.nextHand}</button>
      </div>
      <ol class="hands">
        ${repeat(
          hands,
          ({ member }) => member,
          ({ member, by, until }, at) => html`
            <li class="person">
              <span class="turn figures">${at + 1}</span>
              <span class="name"><b>${session.personOf(member)?.name ?? by}</b><span class="more figures">${words.secondsLeft(secondsUntil(view, until))}</span></span>
              <button class="press" type="button" @click=${() => void session.command({ name: 'bring_up', member })}>${words.bringUp}</button>
              <button class="press plain" type="button" @click=${() => void session.command({ name: 'refuse_hand', member })}>${words.notNow}</button>
            </li>
          `,
        )}
      </ol>
    </section>
  `;
}

function renderList(view: RoomView, title: string, people: readonly Person[]): TemplateResult {
  return html`
    <section aria-label=${title}>
      <div class="heading"><h3>${title} <span class="figures">${people.length}</span></h3></div>
      <ul>${repeat(people, ({ id }) => id, (person) => renderPerson(view, person))}</ul>
    </section>
  `;
}

function renderPerson(view: RoomView, person: Person): TemplateResult {
  const { ui, words, own, all, session } = view;
  const { id, name, role, away } = person;
  const place = all.stage.find(({ member }) => member === id);
  const isInvited = session.hosts?.invitations.some(({ member }) => member === id) === true;
  const facts = [words.role(role), ...(away ? [words.isAway] : []), ...(isInvited ? [words.isInvited] : [])].filter((fact) => fact !== '');
  const actions = actionsOn(view, person);
  const isOpen = ui.expanded === id && actions.length > 0;
  return html`
    <li class="person">
      ${renderFace(id, name)}
      <span class="name"><b>${name}</b>${id === own.id ? html` <span class="more">${words.you}</span>` : nothing}
        ${facts.length === 0 ? nothing : html`<span class="more">${facts.join(' · ')}</span>`}</span>
      ${place === undefined ? nothing : html`<span class="signs">${renderSign(place.sending.sound ? 'mic' : 'micOff')}${renderSign(place.sending.picture ? 'video' : 'videoOff')}</span>`}
      ${actions.length === 0
        ? nothing
        : html`<button class="round plain" type="button" aria-label=${words.actionsFor(name)} title=${words.actionsFor(name)} aria-expanded=${isOpen} @click=${() => ui.set({ expanded: isOpen ? undefined : id })}>
            ${roomIcon('more')}
          </button>`}
      ${isOpen ? html`<div class="actions" role="group" aria-label=${words.actionsFor(name)}>${actions.map((action) => renderAction(view, action))}</div>` : nothing}
    </li>
  `;
}

function renderSign(name: RoomIcon): TemplateResult {
  return html`<span class="sign ${name}">${roomIcon(name)}</span>`;
}

function renderAction({ ui }: RoomView, { label, isGrave, act }: Action): TemplateResult {
  const press = (): void => {
    ui.set({ expanded: undefined });
    act();
  };
  return html`<button class=${isGrave ? 'press grave' : 'press'} type="button" @click=${press}>${label}</button>`;
}

function renderBans({ words, session }: RoomView, { bans }: Hosts): TemplateResult {
  return html`
    <section aria-label=${words.bans}>
      <div class="heading"><h3>${words.bans} <span class="figures">${bans.length}</span></h3></div>
      <ul>
        ${bans.map(
          ({ user, known_as }) => html`
            <li class="person">
              <span class="name"><b>${known_as}</b></span>
              <button class="press" type="button" @click=${() => void session.command({ name: 'unban', user })}>${words.unban}</button>
            </li>
          `,
        )}
      </ul>
    </section>
  `;
}
