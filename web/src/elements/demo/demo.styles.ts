//! Looks of the pages at /demo.

import { css } from 'lit';

export const demoStyles = css`
  main {
    display: grid;
    max-inline-size: 64rem;
    margin-inline: auto;
    padding: 0 max(1.25rem, env(safe-area-inset-right)) max(2rem, env(safe-area-inset-bottom)) max(1.25rem, env(safe-area-inset-left));
  }

  .lobby {
    gap: clamp(1.25rem, 4vh, 3rem);
    padding-block-start: clamp(0.25rem, 6vh - 2rem, 4.5rem);
  }

  .lead {
    display: grid;
    gap: 0.5rem;
    text-wrap: balance;
  }

  .lobby .lead h1 {
    font-size: clamp(2rem, 1.4rem + 3vw, 3.25rem);
  }

  .lead p {
    font-size: 1.0625rem;
  }

  form {
    display: grid;
    gap: 1.5rem;
    min-inline-size: 0;
  }

  fieldset {
    min-inline-size: 0;
    margin: 0;
    padding: 0;
    border: 0;
  }

  legend {
    margin-block-end: 0.75rem;
    padding: 0;
    color: var(--om-muted);
    font-size: 0.9375rem;
  }

  .kinds {
    display: grid;
    grid-template-columns: repeat(auto-fit, minmax(min(9.5rem, 100%), 1fr));
    gap: 0.75rem;
  }

  .kind {
    position: relative;
    display: grid;
    align-content: start;
    gap: 0.125rem;
    padding: 1.125rem 1.125rem 1.25rem;
    border: 1px solid var(--om-line);
    border-radius: var(--om-radius);
    background: var(--om-surface);
    cursor: pointer;
    transition: border-color 150ms;
  }

  .kind .icon {
    justify-self: start;
    margin-block-end: 0.75rem;
    padding: 0.625rem;
    border-radius: 12px;
    background: var(--om-sunken);
    color: var(--om-muted);
  }

  .kind .icon svg {
    inline-size: 1.375rem;
    block-size: 1.375rem;
  }

  .kind b {
    font-weight: 650;
  }

  .kind span:not(.icon) {
    color: var(--om-muted);
    font-size: 0.875rem;
    line-height: 1.4;
  }

  .kind input {
    position: absolute;
    inset: 0;
    margin: 0;
    opacity: 0;
    cursor: pointer;
  }

  .kind:has(:checked) {
    border-color: var(--om-accent);
    box-shadow: inset 0 0 0 1px var(--om-accent);
  }

  .kind:has(:checked) .icon {
    background: var(--om-accent-soft);
    color: var(--om-accent);
  }

  .kind:has(:focus-visible) {
    outline: 2px solid var(--om-focus);
    outline-offset: 3px;
  }

  .go {
    display: flex;
    flex-wrap: wrap;
    align-items: end;
    gap: 0.75rem;
  }

  .go .field {
    flex: 1 1 14rem;
  }

  .field {
    display: grid;
    gap: 0.25rem;
    min-inline-size: 0;
    color: var(--om-muted);
    font-size: 0.875rem;
  }

  .field :is(input, select) {
    inline-size: 100%;
    min-inline-size: 0;
    min-block-size: 52px;
    padding: 0 1rem;
    border: 1px solid var(--om-edge);
    border-radius: 12px;
    background: var(--om-surface);
    color: var(--om-text);
    font: inherit;
    font-size: 1rem;
    text-overflow: ellipsis;
  }

  .field input:read-only {
    border-color: var(--om-line);
    color: var(--om-muted);
  }

  .field select:disabled {
    border-color: var(--om-line);
    color: var(--om-muted);
    opacity: 1;
  }

  option {
    background: Canvas;
    color: CanvasText;
  }

  .press.large {
    min-block-size: 52px;
    padding-inline: 1.5rem;
    border-radius: 12px;
    font-size: 1.0625rem;
    font-weight: 650;
  }

  .press.danger {
    color: var(--om-danger);
  }

  .go .press {
    flex: 1 0 auto;
    max-inline-size: 100%;
  }

  .problem {
    padding: 0.75rem 1rem;
    border-radius: 10px;
    background: var(--om-danger-soft);
    text-wrap: pretty;
  }

  .opened {
    display: grid;
    justify-items: stretch;
    gap: 1.5rem;
    inline-size: min(26rem, 100%);
    margin-inline: auto;
    text-align: center;
    text-wrap: balance;
  }

  .opened om-share {
    text-align: start;
  }

  [tabindex='-1']:focus {
    outline: none;
  }

  /* ---- joining ---- */

  .join {
    gap: 1.5rem 3rem;
    align-content: center;
  }

  .mirror {
    position: relative;
    display: grid;
    align-self: center;
    min-inline-size: 0;
  }

  .mirror live-pusher {
    --live-radius: 18px;
    --live-aspect-ratio: 4 / 3;
  }

  .mirror live-pusher::part(video) {
    object-fit: cover;
  }

  .check,
  .switches {
    position: absolute;
    inset-inline: 0;
    display: grid;
    justify-items: center;
    gap: 0.75rem;
    padding: 1rem;
    color: #c3cac8;
    text-align: center;
    text-wrap: balance;
    pointer-events: none;
  }

  .check {
    inset-block: 0;
    place-content: center;
  }

  .check .press.main {
    background: #35d0b0;
    color: #04140f;
    white-space: normal;
  }

  .switches {
    inset-block-end: 0;
    grid-auto-flow: column;
    justify-content: center;
  }

  .check > button,
  .switches > button {
    pointer-events: auto;
  }

  .round {
    display: inline-grid;
    place-items: center;
    inline-size: 52px;
    block-size: 52px;
    padding: 0;
    border: 0;
    border-radius: 50%;
    background: rgb(9 12 12 / 78%);
    color: #ffffff;
    cursor: pointer;
    touch-action: manipulation;
  }

  .round.off {
    background: #ffffff;
    color: #0b0d0d;
  }

  .join form {
    align-content: center;
  }

  .buttons {
    display: grid;
    grid-auto-flow: column;
    grid-auto-columns: 1fr;
    gap: 0.75rem;
  }

  /* A phone held upright shows all of it at once. */
  @media (max-width: 30rem) {
    .kind {
      padding: 0.875rem 1rem 1rem;
    }

    .kind .icon {
      margin-block-end: 0.5rem;
      padding: 0.5rem;
    }
  }

  @media (min-width: 56rem) {
    .join {
      grid-template-columns: minmax(0, 1fr) 22rem;
      min-block-size: calc(100dvh - 10rem);
    }

    .mirror live-pusher {
      --live-aspect-ratio: 16 / 10;
    }
  }

  @media (prefers-reduced-motion: reduce) {
    .kind {
      transition: none;
    }
  }
`;
