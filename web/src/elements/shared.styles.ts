//! Looks that the page elements share: buttons, links, headings, figures.

import { css } from 'lit';

export const sharedStyles = css`
  *,
  *::before,
  *::after {
    box-sizing: border-box;
  }

  :host {
    display: block;
    color: var(--om-text);
    font-family: var(--om-font);
  }

  :host([hidden]) {
    display: none;
  }

  h1,
  h2,
  h3,
  p,
  dl,
  dd,
  ul,
  ol {
    margin: 0;
    padding: 0;
  }

  ul,
  ol {
    list-style: none;
  }

  h1 {
    font-size: clamp(1.625rem, 1.3rem + 1.4vw, 2.125rem);
    font-weight: 650;
    letter-spacing: -0.02em;
    line-height: 1.2;
  }

  h2 {
    font-size: 1.1875rem;
    font-weight: 650;
    letter-spacing: -0.01em;
    line-height: 1.3;
  }

  h3 {
    font-size: 0.9375rem;
    font-weight: 600;
  }

  a {
    color: var(--om-accent);
    text-underline-offset: 0.2em;
  }

  code,
  .mono {
    font-family: var(--om-mono);
    font-size: 0.875em;
  }

  .muted {
    color: var(--om-muted);
  }

  .figures {
    font-variant-numeric: tabular-nums;
  }

  .icon {
    display: inline-grid;
    flex: none;
  }

  .icon svg {
    inline-size: 1.125rem;
    block-size: 1.125rem;
  }

  :is(.icon-play, .icon-pause) svg {
    fill: currentcolor;
  }

  .press {
    display: inline-flex;
    align-items: center;
    justify-content: center;
    gap: 0.5rem;
    min-block-size: 44px;
    padding: 0 1rem;
    border: 1px solid var(--om-line);
    border-radius: 10px;
    background: var(--om-surface);
    color: var(--om-text);
    font: inherit;
    font-size: 0.9375rem;
    font-weight: 550;
    text-decoration: none;
    white-space: nowrap;
    cursor: pointer;
    touch-action: manipulation;
  }

  .press.main {
    border-color: transparent;
    background: var(--om-accent);
    color: var(--om-on-accent);
  }

  .press.plain {
    border-color: transparent;
    background: transparent;
  }

  @media (hover: hover) {
    .press:hover {
      border-color: var(--om-muted);
    }

    .press.main:hover {
      border-color: transparent;
      filter: brightness(1.08);
    }

    .press.plain:hover {
      border-color: transparent;
      background: var(--om-sunken);
    }
  }

  :is(a, button, input, select, summary, [tabindex]):focus-visible {
    outline: 2px solid var(--om-focus);
    outline-offset: 2px;
  }

  .visually-hidden {
    position: absolute;
    inline-size: 1px;
    block-size: 1px;
    overflow: hidden;
    clip-path: inset(50%);
    white-space: nowrap;
  }
`;
