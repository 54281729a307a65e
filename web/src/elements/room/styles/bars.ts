//! The bars over the stage and the cards that ask for an answer.

import { css } from 'lit';

export const barStyles = css`
  .top {
    position: absolute;
    z-index: 2;
    inset-block-start: 0;
    inset-inline: 0;
    display: flex;
    align-items: center;
    gap: 0.5rem;
    min-block-size: 60px;
    padding: max(0.5rem, env(safe-area-inset-top)) max(0.75rem, env(safe-area-inset-right)) 0.25rem max(1rem, env(safe-area-inset-left));
    background: linear-gradient(rgb(0 0 0 / 62%), rgb(0 0 0 / 30%) 60%, transparent);
    transition:
      opacity var(--_fade),
      transform var(--_fade);
    pointer-events: none;
  }

  .top > :is(button, .round) {
    pointer-events: auto;
  }

  .gallered .top {
    background: none;
  }

  .title {
    overflow: hidden;
    font-size: 1rem;
    text-overflow: ellipsis;
    white-space: nowrap;
  }

  .pill {
    display: inline-flex;
    align-items: center;
    gap: 0.375rem;
    padding: 0.125rem 0.625rem;
    border-radius: 999px;
    background: var(--_scrim);
    font-size: 0.8125rem;
    white-space: nowrap;
  }

  .pill .icon svg {
    inline-size: 0.875rem;
    block-size: 0.875rem;
  }

  .count {
    display: inline-flex;
    align-items: center;
    gap: 0.5rem;
    min-inline-size: 44px;
    min-block-size: 44px;
    padding: 0 0.875rem;
    border: 0;
    border-radius: 999px;
    background: var(--_bar);
    font-size: 0.9375rem;
    font-weight: 600;
  }

  .top .round.small {
    background: var(--_bar);
  }

  .count .hands {
    display: inline-flex;
    align-items: center;
    gap: 0.125rem;
    margin-inline: 0.25rem -0.375rem;
    padding: 0.125rem 0.5rem;
    border-radius: 999px;
    background: var(--_accent);
    color: var(--_on-accent);
  }

  .count .hands .icon svg {
    inline-size: 1rem;
    block-size: 1rem;
  }

  .bar {
    position: absolute;
    z-index: 3;
    inset-block-end: max(1rem, env(safe-area-inset-bottom));
    inset-inline-start: 50%;
    display: flex;
    align-items: center;
    gap: 6px;
    max-inline-size: calc(100% - 1rem);
    padding: 6px;
    border-radius: 999px;
    background: var(--_bar);
    backdrop-filter: blur(14px);
    transform: translateX(-50%);
    transition:
      opacity var(--_fade),
      transform var(--_fade);
  }

  /* Nobody moves: the picture is alone. Whoever uses a keyboard finds the controls where they were. */
  .quiet .top:not(:focus-within) {
    opacity: 0;
    transform: translateY(-50%);
    pointer-events: none;
  }

  .quiet .bar:not(:focus-within) {
    opacity: 0;
    transform: translate(-50%, 50%);
    pointer-events: none;
  }

  .quiet .stage-box {
    cursor: none;
  }

  .narrow .bar .wide {
    flex: 0 1 auto;
    gap: 0.375rem;
    min-inline-size: 0;
    padding: 0 0.875rem 0 0.75rem;
    overflow: hidden;
    font-size: 0.9375rem;
  }

  .bar .wide span:not(.icon) {
    overflow: hidden;
    text-overflow: ellipsis;
  }

  .badge {
    position: absolute;
    inset-block-start: 2px;
    inset-inline-end: 0;
    min-inline-size: 1.25rem;
    padding-inline: 0.3125rem;
    border-radius: 999px;
    background: var(--_accent);
    color: var(--_on-accent);
    font-size: 0.75rem;
    font-weight: 700;
    line-height: 1.25rem;
    text-align: center;
  }

  .reactions {
    position: absolute;
    z-index: 3;
    inset-block-end: calc(max(1rem, env(safe-area-inset-bottom)) + var(--_control) + 22px);
    inset-inline-start: 50%;
    display: grid;
    grid-template-columns: repeat(8, 44px);
    padding: 6px;
    border-radius: 999px;
    background: var(--_bar);
    backdrop-filter: blur(14px);
    transform: translateX(-50%);
  }

  .emoji {
    inline-size: 44px;
    block-size: 44px;
    padding: 0;
    border: 0;
    border-radius: 50%;
    background: transparent;
    font-size: 1.5rem;
    line-height: 1;
    transition: transform var(--_fade);
  }

  .emoji:active {
    transform: scale(1.25);
  }

  .narrow .reactions {
    grid-template-columns: repeat(4, 56px);
    border-radius: 24px;
  }

  .narrow .emoji {
    inline-size: 56px;
    block-size: 52px;
  }

  .middle {
    position: absolute;
    z-index: 2;
    inset-block-start: calc(max(0.5rem, env(safe-area-inset-top)) + 56px);
    inset-inline: 1rem;
    display: grid;
    justify-items: center;
    gap: 0.625rem;
    pointer-events: none;
  }

  .middle .line {
    padding: 0.375rem 1rem;
    border-radius: 999px;
    background: var(--_scrim);
    font-size: 0.9375rem;
    text-align: center;
    text-wrap: balance;
  }

  .cards,
  .asks {
    display: grid;
    justify-items: center;
    gap: 0.625rem;
    max-inline-size: 100%;
  }

  .cards :is(.card, .notice, .wide) {
    pointer-events: auto;
  }

  .card {
    display: grid;
    gap: 0.875rem;
    inline-size: min(23rem, 100%);
    padding: 1.125rem 1.25rem 1.25rem;
    border-radius: var(--_panel-radius);
    background: var(--_panel);
    color: var(--_panel-text);
    box-shadow: 0 12px 48px rgb(0 0 0 / 45%);
    text-wrap: balance;
  }

  .card p {
    margin-block-start: 0.25rem;
    color: var(--_panel-muted);
    font-size: 0.9375rem;
  }

  .row {
    display: flex;
    flex-wrap: wrap;
    gap: 0.5rem;
  }

  .card .row .press {
    flex: 1;
  }

  .notice {
    display: flex;
    align-items: center;
    gap: 0.25rem;
    padding-inline: 1.125rem 0.25rem;
    border-radius: 999px;
    background: var(--_bar);
    backdrop-filter: blur(14px);
    font-size: 0.9375rem;
    font-weight: 550;
    text-wrap: balance;
  }

  @media (prefers-reduced-motion: reduce) {
    .top,
    .bar,
    .emoji {
      transition: none;
    }
  }
`;
