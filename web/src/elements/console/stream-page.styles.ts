//! Looks of the page of one stream.

import { css } from 'lit';

export const streamPageStyles = css`
  .back {
    justify-self: start;
    margin-block-end: -1rem;
    margin-inline-start: -0.75rem;
    padding-inline: 0.75rem;
    color: var(--om-muted);
  }

  .name {
    display: grid;
    gap: 0.125rem;
    min-inline-size: 0;
  }

  h1 {
    overflow-wrap: anywhere;
  }

  .app {
    color: var(--om-muted);
    font-weight: 400;
  }

  .top {
    display: grid;
    gap: 1.5rem;
  }

  .stage {
    overflow: hidden;
    aspect-ratio: 16 / 9;
    border-radius: var(--om-radius);
    background: #000000;
  }

  live-player {
    --live-radius: 0;
    --live-aspect-ratio: auto;
    block-size: 100%;
  }

  .addresses {
    display: grid;
    gap: 1rem;
    min-inline-size: 0;
  }

  /* The controls of a player want all of a phone's width. */
  @media (max-width: 30rem) {
    .stage {
      margin-inline: -1.25rem;
      border-radius: 0;
    }
  }

  @media (min-width: 64rem) {
    .top {
      grid-template-columns: minmax(0, 3fr) minmax(0, 2fr);
      align-items: start;
    }
  }
`;
