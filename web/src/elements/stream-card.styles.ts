//! Looks of a stream in the console.

import { css } from 'lit';

export const streamCardStyles = css`
  :host {
    container-type: inline-size;
  }

  article {
    display: grid;
    overflow: hidden;
    border: 1px solid var(--om-line);
    border-radius: var(--om-radius);
    background: var(--om-surface);
  }

  .picture {
    display: grid;
    aspect-ratio: 16 / 9;
    background: #0b0d0d;
  }

  .picture live-player {
    --live-radius: 0;
    --live-aspect-ratio: auto;
  }

  .still {
    place-items: center;
    color: #c3cac8;
  }

  .show {
    display: inline-flex;
    align-items: center;
    gap: 0.5rem;
    min-block-size: 44px;
    padding: 0 1.125rem;
    border: 1px solid rgb(255 255 255 / 28%);
    border-radius: 999px;
    background: transparent;
    color: #ffffff;
    font: inherit;
    font-size: 0.9375rem;
    cursor: pointer;
  }

  .show:focus-visible {
    outline-color: #ffffff;
  }

  .body {
    display: grid;
    align-content: start;
    gap: 1.125rem;
    padding: 1.25rem;
  }

  .head {
    display: grid;
    gap: 0.25rem;
  }

  .head h2 {
    overflow-wrap: anywhere;
  }

  .state {
    display: flex;
    align-items: center;
    gap: 0.5rem;
    font-size: 0.9375rem;
    font-weight: 550;
    color: var(--om-accent);
  }

  .state.waiting {
    color: var(--om-warn);
  }

  .state .muted {
    font-weight: 400;
  }

  .dot {
    inline-size: 0.5rem;
    block-size: 0.5rem;
    border-radius: 50%;
    background: currentcolor;
  }

  .waiting .dot {
    background: transparent;
    box-shadow: inset 0 0 0 2px currentcolor;
  }

  .facts {
    display: grid;
    grid-template-columns: repeat(auto-fill, minmax(min(100%, 8.5rem), 1fr));
    gap: 1rem 1.25rem;
    font-size: 0.9375rem;
  }

  dt {
    color: var(--om-muted);
    font-size: 0.8125rem;
  }

  dd {
    overflow-wrap: anywhere;
  }

  .more {
    display: block;
    color: var(--om-muted);
    font-size: 0.875rem;
  }

  .actions {
    display: flex;
    flex-wrap: wrap;
    gap: 0.625rem;
  }

  details {
    border-block-start: 1px solid var(--om-line);
  }

  summary {
    display: flex;
    align-items: center;
    justify-content: space-between;
    min-block-size: 52px;
    padding: 0 1.25rem;
    font-size: 0.9375rem;
    font-weight: 550;
    cursor: pointer;
    list-style: none;
  }

  summary::-webkit-details-marker {
    display: none;
  }

  summary:focus-visible {
    outline-offset: -2px;
  }

  details[open] summary .icon {
    rotate: 180deg;
  }

  .addresses {
    display: grid;
    grid-template-columns: repeat(auto-fit, minmax(min(100%, 20rem), 1fr));
    gap: 1rem;
    padding: 0 1.25rem 1.25rem;
  }

  @container (min-width: 44rem) {
    article {
      grid-template-columns: minmax(0, 24rem) minmax(0, 1fr);
    }

    .picture {
      margin: 1.25rem 0 1.25rem 1.25rem;
      align-self: start;
      overflow: hidden;
      border-radius: 8px;
    }

    details {
      grid-column: 1 / -1;
    }
  }
`;
