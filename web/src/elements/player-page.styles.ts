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

  .modes {
    display: flex;
    flex-wrap: wrap;
    gap: 0.75rem;
    margin: 0;
    padding: 0;
    border: 0;
    min-inline-size: 0;
  }

  .modes label {
    position: relative;
    flex: 0 1 22rem;
    min-block-size: 44px;
    padding: 0.625rem 1rem;
    border: 1px solid var(--om-line);
    border-radius: 10px;
    background: var(--om-surface);
    cursor: pointer;
    touch-action: manipulation;
  }

  .modes label:has(:checked) {
    border-color: var(--om-accent);
    box-shadow: inset 0 0 0 1px var(--om-accent);
  }

  .modes label:has(:focus-visible) {
    outline: 2px solid var(--om-focus);
    outline-offset: 2px;
  }

  .modes .name {
    font-weight: 600;
  }

  .note {
    flex-basis: 100%;
    font-size: 0.9375rem;
  }

  .note:empty {
    display: none;
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
