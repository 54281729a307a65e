//! What fills the element while one is not in the room, and the question before what cannot be undone.

import { css } from 'lit';

export const screenStyles = css`
  .screen {
    position: absolute;
    inset: 0;
    display: grid;
    place-content: center;
    justify-items: center;
    gap: 1.25rem;
    padding: 1.5rem;
    text-align: center;
    text-wrap: balance;
  }

  .screen h2,
  .over h2 {
    font-size: clamp(1.5rem, 1.25rem + 1.4cqi, 2.125rem);
    letter-spacing: -0.01em;
  }

  .screen p,
  .over p {
    max-inline-size: 34rem;
    margin-block-start: 0.375rem;
    color: var(--_muted);
  }

  .screen .big {
    color: var(--_foreground);
    font-size: 1.125rem;
    font-weight: 550;
  }

  .busy {
    inline-size: 10rem;
  }

  /* ---- a call ---- */

  .ringer {
    display: grid;
    place-items: center;
    inline-size: 6rem;
    block-size: 6rem;
    border-radius: 50%;
    background: var(--_accent);
    color: var(--_on-accent);
    animation: ring 1.6s ease-out infinite;
  }

  .ringer .icon svg {
    inline-size: 2.25rem;
    block-size: 2.25rem;
  }

  @keyframes ring {
    from {
      box-shadow: 0 0 0 0 color-mix(in srgb, var(--_accent) 55%, transparent);
    }

    to {
      box-shadow: 0 0 0 3rem transparent;
    }
  }

  .call .row {
    gap: 1.25rem;
    justify-content: center;
    margin-block-start: 1.5rem;
  }

  .answer {
    display: inline-flex;
    align-items: center;
    gap: 0.625rem;
    min-block-size: 60px;
    padding: 0 1.75rem 0 1.5rem;
    border: 0;
    border-radius: 999px;
    font-size: 1.0625rem;
    font-weight: 650;
  }

  .answer.accept {
    background: var(--_accent);
    color: var(--_on-accent);
  }

  .answer.decline {
    background: var(--_end);
    color: #2a0503;
  }

  .calling {
    position: absolute;
    inset: 0;
    display: grid;
    grid-template: minmax(0, 1fr) / minmax(0, 1fr);
  }

  .calling > * {
    grid-area: 1 / 1;
  }

  .calling .tile {
    border-radius: 0;
  }

  .calling figcaption,
  .calling .tile::after {
    display: none;
  }

  .calling .over {
    --om-surface: transparent;
    --om-sunken: rgb(255 255 255 / 16%);
    --om-text: #ffffff;
    --om-muted: #d6dbd9;
    --om-accent: var(--_accent);

    position: relative;
    display: grid;
    justify-items: center;
    align-content: space-between;
    gap: 1.5rem;
    padding: max(4rem, env(safe-area-inset-top)) 1.25rem max(2.5rem, env(safe-area-inset-bottom));
    background: linear-gradient(rgb(0 0 0 / 72%), rgb(0 0 0 / 30%) 45%, rgb(0 0 0 / 72%));
    text-align: center;
    text-wrap: balance;
  }

  .calling ::slotted([slot='invite']) {
    inline-size: min(24rem, 100%);
    text-align: start;
  }

  .calling + .cards {
    position: absolute;
    inset-block-end: 7.5rem;
    inset-inline: 1rem;
    pointer-events: none;
  }

  /* ---- a question ---- */

  .question {
    inline-size: min(26rem, calc(100vw - 2rem));
    padding: 1.5rem;
    border: 0;
    border-radius: var(--_panel-radius);
    background: var(--_panel);
    color: var(--_panel-text);
    box-shadow: 0 20px 80px rgb(0 0 0 / 55%);
    text-wrap: pretty;
  }

  .question::backdrop {
    background: rgb(0 0 0 / 55%);
  }

  .question form {
    display: grid;
    gap: 0.625rem;
  }

  .question h3 {
    font-size: 1.1875rem;
    overflow-wrap: anywhere;
  }

  .question p {
    color: var(--_panel-muted);
  }

  .question .row {
    justify-content: end;
    margin-block-start: 0.75rem;
  }

  .question :is(button):focus-visible {
    outline-color: var(--_panel-accent);
  }

  @media (prefers-reduced-motion: reduce) {
    .ringer {
      animation: none;
    }
  }
`;
