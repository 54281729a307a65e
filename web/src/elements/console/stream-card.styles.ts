//! Looks of a stream in the list.

import { css } from 'lit';

export const streamCardStyles = css`
  article {
    position: relative;
    display: grid;
    grid-template-rows: auto 1fr;
    block-size: 100%;
    overflow: hidden;
    border: 1px solid var(--om-line);
    border-radius: var(--om-radius);
    background: var(--om-surface);
  }

  .picture {
    position: relative;
    display: grid;
    place-items: center;
    aspect-ratio: 16 / 9;
    overflow: hidden;
    background: #0b0d0d;
    color: #c3cac8;
  }

  .picture > * {
    grid-area: 1 / 1;
  }

  .moving,
  canvas {
    inline-size: 100%;
    block-size: 100%;
    min-block-size: 0;
  }

  canvas {
    object-fit: contain;
    opacity: 0.6;
  }

  .moving live-player {
    --live-radius: 0;
    --live-aspect-ratio: auto;
    inline-size: 100%;
    block-size: 100%;
  }

  .none {
    display: grid;
    justify-items: center;
    gap: 0.5rem;
    font-size: 0.9375rem;
  }

  .show {
    /* Above the link that covers the card. */
    z-index: 2;
    display: grid;
    place-items: center;
    inline-size: 52px;
    block-size: 52px;
    padding: 0;
    border: 1px solid rgb(255 255 255 / 35%);
    border-radius: 50%;
    background: rgb(11 13 13 / 60%);
    color: #ffffff;
    cursor: pointer;
  }

  .show:focus-visible {
    outline-color: #ffffff;
  }

  .badge {
    position: absolute;
    inset-block-start: 0.75rem;
    inset-inline-start: 0.75rem;
    display: inline-flex;
    align-items: center;
    gap: 0.4375rem;
    padding: 0.1875rem 0.5625rem;
    border-radius: 6px;
    background: rgb(11 13 13 / 78%);
    color: #ffffff;
    font-size: 0.8125rem;
    font-weight: 550;
    line-height: 1.4;
    pointer-events: none;
  }

  .badge.viewers {
    inset-inline: auto 0.75rem;
  }

  .badge .icon svg {
    inline-size: 0.875rem;
    block-size: 0.875rem;
  }

  .dot {
    inline-size: 0.4375rem;
    block-size: 0.4375rem;
    border-radius: 50%;
    background: #4ed3b4;
  }

  .waiting .dot {
    background: transparent;
    box-shadow: inset 0 0 0 2px #f0b45a;
  }

  .body {
    display: grid;
    align-content: start;
    gap: 0.1875rem;
    padding: 0.875rem 1rem 1rem;
  }

  h2 {
    min-inline-size: 0;
    font-size: 1.0625rem;
  }

  h2 a {
    color: inherit;
    text-decoration: none;
    overflow-wrap: anywhere;
  }

  /* The whole card is the link, the name its label. */
  h2 a::after {
    content: '';
    position: absolute;
    inset: 0;
    z-index: 1;
    border-radius: var(--om-radius);
  }

  h2 a:focus-visible {
    outline: none;
  }

  h2 a:focus-visible::after {
    outline: 2px solid var(--om-focus);
    outline-offset: -2px;
  }

  .app {
    color: var(--om-muted);
    font-weight: 400;
  }

  .facts {
    color: var(--om-muted);
    font-size: 0.875rem;
    overflow-wrap: anywhere;
  }

  @media (hover: hover) {
    article:hover {
      border-color: var(--om-edge);
    }

    article:hover h2 a {
      color: var(--om-accent);
    }
  }
`;
