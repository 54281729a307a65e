//! Colours, type and the controls that all parts of a room share. The stage is dark, as around every picture; the
//! panels follow the system.

import { css } from 'lit';

export const themeStyles = css`
  :host {
    --_accent: var(--live-accent, #35d0b0);
    --_on-accent: var(--live-on-accent, #04140f);
    --_background: var(--live-background, #0b0d0d);
    --_tile: var(--live-tile, #171b1b);
    --_foreground: var(--live-foreground, #ffffff);
    --_muted: var(--live-foreground-muted, #c3cac8);
    --_scrim: var(--live-scrim, rgb(9 12 12 / 78%));
    --_bar: var(--live-bar, rgb(34 40 40 / 86%));
    --_end: var(--live-end, #ff5c50);
    --_radius: var(--live-radius, 0px);
    --_panel-radius: var(--live-panel-radius, 14px);
    --_control: var(--live-control-size, 48px);
    --_focus: var(--live-focus, #ffffff);
    --_font: var(--live-font, system-ui, -apple-system, 'Segoe UI', 'PingFang SC', 'Microsoft YaHei', 'Noto Sans CJK SC', sans-serif);
    --_fade: var(--live-fade, 200ms);
    --_panel: var(--live-panel-background, #ffffff);
    --_panel-sunken: var(--live-panel-sunken, #f1f2ef);
    --_panel-line: var(--live-panel-line, #dfe1dc);
    --_panel-edge: var(--live-panel-edge, #868d89);
    --_panel-text: var(--live-panel-foreground, #191b1a);
    --_panel-muted: var(--live-panel-muted, #59605c);
    --_panel-accent: var(--live-panel-accent, #0a7461);
    --_panel-on-accent: var(--live-panel-on-accent, #ffffff);
    --_panel-danger: var(--live-panel-danger, #b3261e);

    display: block;
    position: relative;
    block-size: 100%;
    min-block-size: 20rem;
    min-inline-size: 0;
    overflow: hidden;
    border-radius: var(--_radius);
    background: var(--_background);
    color: var(--_foreground);
    color-scheme: dark;
    font: 400 1rem / 1.5 var(--_font);
    -webkit-tap-highlight-color: transparent;
    container-type: size;
  }

  @media (prefers-color-scheme: dark) {
    :host {
      --_panel: var(--live-panel-background, #161918);
      --_panel-sunken: var(--live-panel-sunken, #212625);
      --_panel-line: var(--live-panel-line, #2c312f);
      --_panel-edge: var(--live-panel-edge, #747c78);
      --_panel-text: var(--live-panel-foreground, #eceeec);
      --_panel-muted: var(--live-panel-muted, #a3aaa6);
      --_panel-accent: var(--live-panel-accent, #4ed3b4);
      --_panel-on-accent: var(--live-panel-on-accent, #06201a);
      --_panel-danger: var(--live-panel-danger, #ff9a90);
    }
  }

  :host([hidden]) {
    display: none;
  }

  *,
  *::before,
  *::after {
    box-sizing: border-box;
  }

  h2,
  h3,
  p,
  ul,
  ol,
  figure {
    margin: 0;
    padding: 0;
  }

  ul,
  ol {
    list-style: none;
  }

  h2 {
    font-size: 1.125rem;
    font-weight: 650;
    line-height: 1.3;
  }

  h3 {
    font-size: 1rem;
    font-weight: 600;
    line-height: 1.35;
  }

  button,
  input,
  select {
    font: inherit;
    color: inherit;
  }

  button {
    cursor: pointer;
    touch-action: manipulation;
  }

  .icon {
    display: inline-grid;
    flex: none;
  }

  .icon svg {
    inline-size: 1.25rem;
    block-size: 1.25rem;
  }

  .figures {
    font-variant-numeric: tabular-nums;
  }

  .gap {
    flex: 1;
  }

  .visually-hidden {
    position: absolute;
    inline-size: 1px;
    block-size: 1px;
    overflow: hidden;
    clip-path: inset(50%);
    white-space: nowrap;
  }

  :is(button, input, select, [tabindex]):focus-visible {
    outline: 2px solid var(--_focus);
    outline-offset: 2px;
  }

  .round {
    position: relative;
    display: inline-grid;
    place-items: center;
    flex: none;
    inline-size: var(--_control);
    block-size: var(--_control);
    padding: 0;
    border: 0;
    border-radius: 50%;
    background: transparent;
    transition: background-color var(--_fade);
  }

  .round.open {
    background: rgb(255 255 255 / 20%);
  }

  .round.off {
    background: var(--_foreground);
    color: var(--_background);
  }

  .round.main {
    background: var(--_accent);
    color: var(--_on-accent);
  }

  .round.end {
    background: var(--_end);
    color: #2a0503;
  }

  .round.small {
    inline-size: 44px;
    block-size: 44px;
  }

  .wide {
    display: inline-flex;
    align-items: center;
    gap: 0.625rem;
    min-block-size: var(--_control);
    padding: 0 1.25rem 0 1rem;
    border: 0;
    border-radius: 999px;
    background: rgb(255 255 255 / 14%);
    font-weight: 600;
    white-space: nowrap;
  }

  .wide.main {
    background: var(--_accent);
    color: var(--_on-accent);
  }

  .wide.raised {
    background: var(--_foreground);
    color: var(--_background);
  }

  .press {
    display: inline-flex;
    align-items: center;
    justify-content: center;
    gap: 0.5rem;
    min-block-size: 44px;
    padding: 0 1rem;
    border: 1px solid var(--_panel-line);
    border-radius: 10px;
    background: var(--_panel);
    color: var(--_panel-text);
    font-size: 0.9375rem;
    font-weight: 550;
  }

  .press.main {
    border-color: transparent;
    background: var(--_panel-accent);
    color: var(--_panel-on-accent);
  }

  .press.plain {
    border-color: transparent;
    background: transparent;
  }

  .press.grave {
    color: var(--_panel-danger);
  }

  .face {
    display: inline-grid;
    place-items: center;
    flex: none;
    inline-size: 2.25rem;
    block-size: 2.25rem;
    border-radius: 50%;
    background: #3b6ea5;
    color: #ffffff;
    font-size: 1rem;
    font-weight: 600;
    user-select: none;
  }

  .face-1 {
    background: #75569f;
  }

  .face-2 {
    background: #9d4c66;
  }

  .face-3 {
    background: #8f5a1d;
  }

  .face-4 {
    background: #55752b;
  }

  .face-5 {
    background: #2a7567;
  }

  .face-6 {
    background: #496780;
  }

  .face-7 {
    background: #84498a;
  }

  @media (hover: hover) {
    .round:hover {
      background: rgb(255 255 255 / 14%);
    }

    :is(.round.off, .round.main, .round.end):hover {
      filter: brightness(1.08);
    }

    .round.off:hover {
      background: var(--_foreground);
    }

    .round.main:hover {
      background: var(--_accent);
    }

    .round.end:hover {
      background: var(--_end);
    }

    .press:hover {
      border-color: var(--_panel-edge);
    }

    .press.main:hover {
      filter: brightness(1.08);
    }
  }
`;
