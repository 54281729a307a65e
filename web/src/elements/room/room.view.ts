//! The room as a whole: the stage first, bars and cards over it, and one panel beside it or, on a phone, over it.

import { type TemplateResult, html, nothing } from 'lit';
import { classMap } from 'lit/directives/class-map.js';
import { renderCards, renderQuestion } from './cards.view.ts';
import { renderChat } from './chat.view.ts';
import { renderControls, renderState, renderTop } from './controls.view.ts';
import { renderPeople } from './people.view.ts';
import { renderCalling } from './screens.view.ts';
import { renderSettings } from './settings.view.ts';
import { renderStage } from './stage.view.ts';
import { type RoomView, renderButton } from './view.ts';

export function renderRoom(view: RoomView): TemplateResult {
  const { all, own, ui, isNarrow } = view;
  const rings = all.ringing_until !== null && all.stage.every(({ member }) => member === own.id);
  if (all.ringing_until !== null && rings) return html`${renderCalling(view, all.ringing_until)}${renderCards(view)}`;
  const classes = { room: true, quiet: ui.isIdle, narrow: isNarrow, paneled: ui.panel !== 'none', gallered: view.layout === 'gallery' };
  return html`
    <div part="room" class=${classMap(classes)}>
      <div class="stage-box" @click=${(event: Event) => putAway(view, event)}>
        ${renderStage(view)} ${renderTop(view)}
        <div class="middle">${renderState(view)} ${renderCards(view)}</div>
        ${renderControls(view)}
      </div>
      ${renderPanel(view)}
    </div>
    ${renderQuestion(view)}
  `;
}

/** On a phone the sheet goes by a touch on the picture, as people expect; the reactions do everywhere. */
function putAway({ ui, isNarrow }: RoomView, event: Event): void {
  if (!(event.target as Element).closest('button, .bar, .reactions, .cards, slot')) {
    if (ui.isReacting || (isNarrow && ui.panel !== 'none')) ui.set({ isReacting: false, panel: isNarrow ? 'none' : ui.panel });
  }
}

function renderPanel(view: RoomView): TemplateResult | typeof nothing {
  const { ui, words } = view;
  if (ui.panel === 'none') return nothing;
  const title = words[ui.panel];
  return html`
    <section part="panel" class="panel ${ui.panel}" tabindex="-1" aria-label=${title}>
      <header class="head">
        <h2>${title}</h2>
        ${renderButton('close', words.close, () => ui.set({ panel: 'none' }), { look: 'plain' })}
      </header>
      ${ui.panel === 'chat' ? renderChat(view) : ui.panel === 'people' ? renderPeople(view) : renderSettings(view)}
    </section>
  `;
}
