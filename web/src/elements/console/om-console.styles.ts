//! Looks of the console's frame: the places, and the room for a page. On a phone the places are within the thumb's reach.

import { css } from 'lit';

export const omConsoleStyles = css`
  main {
    max-inline-size: var(--om-page, 84rem);
    margin-inline: auto;
    padding: 1.25rem max(1.25rem, env(safe-area-inset-right)) 3rem max(1.25rem, env(safe-area-inset-left));
  }

  /* Focused by us when the page has changed, for screen readers; the keyboard goes on from there. */
  main[tabindex]:focus-visible {
    outline: none;
  }

  .said:not(:empty) .notice {
    margin-block-end: 1.25rem;
  }

  .skip {
    position: absolute;
    inset-block-start: -10rem;
    inset-inline-start: 1rem;
    z-index: 20;
  }

  .skip:focus {
    inset-block-start: 0.625rem;
  }

  nav {
    display: flex;
    gap: 0.25rem;
  }

  nav a {
    display: inline-flex;
    align-items: center;
    gap: 0.5rem;
    min-block-size: 44px;
    padding: 0 0.875rem;
    border-radius: 10px;
    color: var(--om-muted);
    font-size: 0.9375rem;
    font-weight: 550;
    text-decoration: none;
  }

  nav a[aria-current='page'] {
    background: var(--om-accent-soft);
    color: var(--om-accent);
  }

  @media (hover: hover) {
    nav a:not([aria-current='page']):hover {
      background: var(--om-sunken);
      color: var(--om-text);
    }
  }

  .out {
    padding-inline: 0.75rem;
    color: var(--om-muted);
  }

  footer {
    max-inline-size: var(--om-page, 84rem);
    margin-inline: auto;
    padding: 0 1.25rem max(2rem, env(safe-area-inset-bottom));
    font-size: 0.875rem;
  }

  @media (max-width: 48rem) {
    nav {
      position: fixed;
      inset: auto 0 0;
      z-index: 10;
      display: grid;
      grid-auto-columns: minmax(0, 1fr);
      grid-auto-flow: column;
      gap: 0;
      padding: 0.25rem max(0.5rem, env(safe-area-inset-right)) max(0.25rem, env(safe-area-inset-bottom))
        max(0.5rem, env(safe-area-inset-left));
      border-block-start: 1px solid var(--om-line);
      background: var(--om-surface);
    }

    nav a {
      flex-direction: column;
      justify-content: center;
      gap: 0.125rem;
      min-block-size: 52px;
      padding: 0.25rem;
      font-size: 0.75rem;
    }

    .out span:not(.icon) {
      display: none;
    }

    footer {
      padding-block-end: calc(6rem + env(safe-area-inset-bottom));
    }
  }
`;
