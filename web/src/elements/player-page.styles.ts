//! Looks of the player page: the picture as large as the screen allows, facts beneath.

import { css } from 'lit';

export const playerPageStyles = css`
  main {
    display: grid;
    gap: 1.5rem;
    padding-block-end: max(3rem, env(safe-area-inset-bottom));
  }

  main > h1 {
    padding: 3rem 1.25rem;
    text-align: center;
  }

  .stage {
    display: grid;
    justify-items: center;
    background: #000000;
  }

  live-player {
    --live-radius: 0;
    --live-background: #000000;
    inline-size: min(100%, calc((100dvh - 12rem) * 16 / 9));
  }

  .below {
    display: grid;
    gap: 2rem;
    inline-size: min(100%, 72rem);
    margin-inline: auto;
    padding-inline: max(1.25rem, env(safe-area-inset-left)) max(1.25rem, env(safe-area-inset-right));
  }

  .title {
    display: grid;
    gap: 0.25rem;
  }

  .title h1 {
    overflow-wrap: anywhere;
  }

  .facts {
    display: grid;
    grid-template-columns: repeat(auto-fit, minmax(min(100%, 8.5rem), 1fr));
    gap: 1rem 2rem;
  }

  dt {
    color: var(--om-muted);
    font-size: 0.8125rem;
  }

  .more {
    display: block;
    color: var(--om-muted);
    font-size: 0.875rem;
  }

  .share {
    display: grid;
    gap: 1rem;
  }

  .addresses {
    display: grid;
    grid-template-columns: repeat(auto-fit, minmax(min(100%, 20rem), 1fr));
    gap: 1rem;
  }

  .wide {
    grid-column: 1 / -1;
  }

  /* A phone held sideways is a screen: the picture takes all of it. */
  @media (orientation: landscape) and (max-height: 30rem) {
    live-player {
      inline-size: min(100%, calc(100dvh * 16 / 9));
    }
  }
`;
