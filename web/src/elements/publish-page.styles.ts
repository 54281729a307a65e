//! Looks of the page to publish from: on a phone the picture is the page; at a desk the checks stand beside it.

import { css } from 'lit';

export const publishPageStyles = css`
  main {
    display: grid;
    gap: 1.5rem;
    max-inline-size: 84rem;
    margin-inline: auto;
    padding-block-end: max(3rem, env(safe-area-inset-bottom));
  }

  .none {
    padding: 3rem 1.25rem;
    text-align: center;
  }

  .stage {
    display: grid;
    justify-items: center;
    align-content: start;
    background: #000000;
  }

  live-pusher {
    --live-radius: 0;
    --live-background: #0b0d0d;
    inline-size: 100%;
  }

  live-pusher.upright {
    --live-aspect-ratio: auto;
    block-size: calc(100dvh - 64px);
    min-block-size: 26rem;
  }

  .start {
    position: absolute;
    inset: 0;
    display: grid;
    place-content: center;
    justify-items: center;
    gap: 0.875rem;
    padding: 1.25rem;
    color: #c3cac8;
    text-align: center;
    text-wrap: balance;
  }

  .press.large {
    min-block-size: 56px;
    padding-inline: 1.5rem;
    border-radius: 999px;
    background: #4ed3b4;
    color: #06201a;
    font-size: 1.0625rem;
    font-weight: 650;
    white-space: normal;
  }

  main > :not(.stage) {
    min-inline-size: 0;
    margin-inline: max(1.25rem, env(safe-area-inset-left)) max(1.25rem, env(safe-area-inset-right));
  }

  .checks {
    display: grid;
    align-content: start;
    gap: 1.75rem;
  }

  .refused {
    display: grid;
    justify-items: start;
    gap: 0.5rem;
    padding: 1rem 1.125rem 1.125rem;
    border-radius: var(--om-radius);
    background: var(--om-danger-soft);
    text-wrap: pretty;
  }

  .refused h2 {
    font-size: 1rem;
  }

  .refused p {
    color: var(--om-muted);
    font-size: 0.9375rem;
  }

  .refused .press {
    margin-block-start: 0.375rem;
  }

  .path {
    font-family: var(--om-mono);
    font-size: 0.875rem;
    overflow-wrap: anywhere;
  }

  section,
  .options {
    display: grid;
    gap: 0.875rem;
    min-inline-size: 0;
  }

  .field {
    display: grid;
    gap: 0.25rem;
    color: var(--om-muted);
    font-size: 0.875rem;
  }

  .select {
    position: relative;
    display: block;
  }

  .select .icon {
    position: absolute;
    inset-block: 0;
    inset-inline-end: 0.875rem;
    align-content: center;
    color: var(--om-muted);
    pointer-events: none;
  }

  select {
    appearance: none;
    inline-size: 100%;
    min-block-size: 44px;
    padding: 0 2.25rem 0 0.875rem;
    border: 1px solid var(--om-edge);
    border-radius: 10px;
    background: var(--om-surface);
    color: var(--om-text);
    font: inherit;
    font-size: 1rem;
    text-overflow: ellipsis;
  }

  select:disabled {
    border-color: var(--om-line);
    color: var(--om-muted);
  }

  option {
    background: Canvas;
    color: CanvasText;
  }

  input[type='range'] {
    inline-size: 100%;
    min-block-size: 44px;
    margin: 0;
    accent-color: var(--om-accent);
  }

  .meter {
    display: grid;
    gap: 0.375rem;
  }

  .meter p {
    min-block-size: 1.5em;
    font-size: 0.9375rem;
  }

  .bar {
    block-size: 10px;
    border-radius: 5px;
    background: var(--om-sunken);
    box-shadow: inset 0 0 0 1px var(--om-line);
    overflow: hidden;
  }

  .bar span {
    display: block;
    block-size: 100%;
    border-radius: inherit;
    background: var(--om-accent);
    transform: scaleX(var(--loudness, 0));
    transform-origin: left;
    transition: transform 180ms linear;
  }

  details {
    border-block: 1px solid var(--om-line);
  }

  summary {
    display: flex;
    align-items: center;
    gap: 0.625rem;
    min-block-size: 52px;
    font-weight: 600;
    list-style: none;
    cursor: pointer;
    touch-action: manipulation;
  }

  summary::-webkit-details-marker {
    display: none;
  }

  summary .icon-chevronDown {
    margin-inline-start: auto;
    color: var(--om-muted);
  }

  details[open] > summary .icon-chevronDown {
    transform: rotate(180deg);
  }

  .options {
    padding-block-end: 1.25rem;
  }

  .facts {
    display: grid;
    grid-template-columns: repeat(3, minmax(0, auto));
    gap: 0.75rem 1.25rem;
    padding: 1rem 1.125rem;
    border-radius: var(--om-radius);
    background: var(--om-surface);
    border: 1px solid var(--om-line);
  }

  dt {
    color: var(--om-muted);
    font-size: 0.8125rem;
  }

  dd {
    font-weight: 600;
  }

  .more {
    display: block;
    color: var(--om-muted);
    font-size: 0.8125rem;
    font-weight: 400;
  }

  .phone {
    display: flex;
    align-items: center;
    gap: 1rem;
  }

  .code {
    flex: none;
    inline-size: 8rem;
    border-radius: 8px;
    /* Scanners want dark on light, by night too. */
    background: #ffffff;
    color: #000000;
    shape-rendering: crispEdges;
  }

  @media (min-width: 62rem) {
    main {
      grid-template:
        'stage title' auto 'stage refused' auto 'stage checks' 1fr 'facts checks' auto 'share checks' auto
        / minmax(0, 1fr) 22rem;
      gap: 1.5rem 2.5rem;
      padding-inline: max(1.25rem, env(safe-area-inset-left)) max(1.25rem, env(safe-area-inset-right));
    }

    main > :not(.stage) {
      margin-inline: 0;
    }

    .stage {
      grid-area: stage;
      align-self: start;
      background: none;
    }

    .title {
      grid-area: title;
    }

    .refused {
      grid-area: refused;
    }

    .checks {
      grid-area: checks;
    }

    .facts {
      grid-area: facts;
    }

    .share {
      grid-area: share;
    }

    live-pusher {
      --live-radius: var(--om-radius);
    }
  }

  /* A phone held sideways is a screen: the picture takes all of it. */
  @media (orientation: landscape) and (max-height: 30rem) {
    live-pusher {
      inline-size: min(100%, calc(100dvh * 16 / 9));
    }
  }
`;
