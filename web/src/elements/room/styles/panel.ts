//! The panel with chat, people or settings: beside the stage at a desk, a sheet over it on a phone.

import { css } from 'lit';

export const panelStyles = css`
  .panel {
    --_focus: var(--_panel-accent);
    /* For what a page puts into it. */
    --om-surface: var(--_panel);
    --om-sunken: var(--_panel-sunken);
    --om-line: var(--_panel-line);
    --om-text: var(--_panel-text);
    --om-muted: var(--_panel-muted);
    --om-accent: var(--_panel-accent);
    --om-focus: var(--_panel-accent);

    position: relative;
    display: grid;
    grid-template-rows: auto minmax(0, 1fr) auto;
    min-block-size: 0;
    background: var(--_panel);
    color: var(--_panel-text);
  }

  /* The sheet has the screen's foot; a touch on the picture puts it away. */
  .narrow.paneled :is(.bar, .pages) {
    visibility: hidden;
  }

  .narrow .panel {
    position: absolute;
    z-index: 4;
    inset-block-end: 0;
    inset-inline: 0;
    block-size: min(68cqb, 36rem);
    border-radius: 20px 20px 0 0;
    box-shadow: 0 -12px 48px rgb(0 0 0 / 45%);
    padding-block-end: env(safe-area-inset-bottom);
    animation: sheet 220ms cubic-bezier(0.2, 0.8, 0.2, 1);
  }

  @keyframes sheet {
    from {
      transform: translateY(40%);
      opacity: 0;
    }
  }

  .head {
    display: flex;
    align-items: center;
    justify-content: space-between;
    padding: 0.625rem 0.625rem 0.25rem 1.25rem;
  }

  .narrow .head::before {
    content: '';
    position: absolute;
    inset-block-start: 8px;
    inset-inline-start: calc(50% - 18px);
    inline-size: 36px;
    block-size: 4px;
    border-radius: 2px;
    background: var(--_panel-line);
  }

  .panel .round.plain {
    inline-size: 44px;
    block-size: 44px;
    color: var(--_panel-muted);
  }

  .scroll,
  .lines {
    min-block-size: 0;
    overflow: hidden auto;
    overscroll-behavior: contain;
  }

  .scroll {
    display: grid;
    align-content: start;
    gap: 1.5rem;
    padding: 0.5rem 1.25rem 1.5rem;
  }

  .panel:focus {
    outline: none;
  }

  .scroll:focus-visible,
  .lines:focus-visible {
    outline-offset: -2px;
  }

  .none {
    padding: 0.25rem 0;
    color: var(--_panel-muted);
    font-size: 0.9375rem;
  }

  .heading {
    display: flex;
    align-items: center;
    justify-content: space-between;
    gap: 0.75rem;
    margin-block-end: 0.25rem;
  }

  .panel h3 {
    color: var(--_panel-muted);
    font-size: 0.875rem;
    font-weight: 600;
  }

  /* ---- chat ---- */

  .lines {
    padding: 0.25rem 1.25rem 0.75rem;
  }

  .said {
    display: grid;
    grid-template-columns: auto minmax(0, 1fr) auto;
    gap: 0 0.75rem;
    padding-block: 0.5rem;
  }

  .said .face {
    margin-block-start: 0.125rem;
  }

  .who {
    color: var(--_panel-muted);
    font-size: 0.8125rem;
    overflow-wrap: anywhere;
  }

  .who b {
    color: var(--_panel-text);
    font-weight: 600;
  }

  .text {
    overflow-wrap: anywhere;
    white-space: pre-wrap;
  }

  .strike {
    display: grid;
    place-items: center;
    align-self: start;
    inline-size: 44px;
    block-size: 44px;
    margin: -0.25rem -0.75rem -0.25rem 0;
    padding: 0;
    border: 0;
    border-radius: 50%;
    background: transparent;
    color: var(--_panel-muted);
  }

  .strike .icon svg {
    inline-size: 1rem;
    block-size: 1rem;
  }

  .newest {
    position: absolute;
    inset-block-end: 5rem;
    inset-inline-start: 50%;
    display: inline-flex;
    align-items: center;
    gap: 0.375rem;
    min-block-size: 44px;
    padding: 0 1rem 0 0.75rem;
    border: 0;
    border-radius: 999px;
    background: var(--_panel-accent);
    color: var(--_panel-on-accent);
    font-size: 0.875rem;
    font-weight: 600;
    transform: translateX(-50%);
  }

  .say {
    display: flex;
    gap: 0.5rem;
    padding: 0.75rem 0.875rem;
    border-block-start: 1px solid var(--_panel-line);
  }

  .say input {
    flex: 1;
    min-inline-size: 0;
    block-size: 44px;
    padding: 0 1.125rem;
    border: 1px solid var(--_panel-edge);
    border-radius: 999px;
    background: var(--_panel);
    /* Smaller, iPhones zoom in. */
    font-size: 1rem;
  }

  .say input::placeholder {
    color: var(--_panel-muted);
    opacity: 1;
  }

  .say .round {
    inline-size: 44px;
    block-size: 44px;
    background: var(--_panel-accent);
    color: var(--_panel-on-accent);
  }

  .closed {
    padding: 1rem 1.25rem;
    border-block-start: 1px solid var(--_panel-line);
    color: var(--_panel-muted);
    text-align: center;
  }

  /* ---- people ---- */

  .person {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    gap: 0.375rem 0.75rem;
    min-block-size: 52px;
  }

  .person .name {
    display: grid;
    flex: 1;
    min-inline-size: 6rem;
    line-height: 1.3;
  }

  .person b {
    font-weight: 550;
    overflow-wrap: anywhere;
  }

  .person .more {
    color: var(--_panel-muted);
    font-size: 0.8125rem;
  }

  .person .turn {
    display: grid;
    place-items: center;
    inline-size: 2.25rem;
    color: var(--_panel-muted);
    font-weight: 600;
  }

  .signs {
    display: flex;
    gap: 0.5rem;
    color: var(--_panel-muted);
  }

  .sign .icon svg {
    inline-size: 1.125rem;
    block-size: 1.125rem;
  }

  .sign:is(.mic, .video) {
    color: var(--_panel-accent);
  }

  .person .round.plain {
    margin-inline-end: -0.625rem;
  }

  .actions {
    display: flex;
    flex-wrap: wrap;
    gap: 0.5rem;
    inline-size: 100%;
    padding-block: 0.25rem 0.75rem;
  }

  .actions .press {
    padding: 0 0.875rem;
    font-size: 0.875rem;
  }

  @media (hover: hover) {
    .panel .round.plain:hover,
    .strike:hover {
      background: var(--_panel-sunken);
      color: var(--_panel-text);
    }
  }

  @media (prefers-reduced-motion: reduce) {
    .narrow .panel {
      animation: none;
    }
  }
`;
