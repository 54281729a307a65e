//! Looks of `<live-player>`. Pages theme it by the `--live-*` properties below and by `::part()`.

import { css } from 'lit';

export const playerStyles = css`
  :host {
    --_accent: var(--live-accent, #35d0b0);
    --_background: var(--live-background, #0b0d0d);
    --_foreground: var(--live-foreground, #ffffff);
    --_muted: var(--live-foreground-muted, #c3cac8);
    --_scrim: var(--live-scrim, rgb(5 8 8 / 72%));
    --_radius: var(--live-radius, 12px);
    --_panel-radius: var(--live-panel-radius, 10px);
    --_control: var(--live-control-size, 44px);
    --_gap: var(--live-control-gap, 4px);
    --_focus: var(--live-focus, #ffffff);
    --_font: var(--live-font, system-ui, -apple-system, 'Segoe UI', 'PingFang SC', 'Noto Sans CJK SC', sans-serif);
    --_fade: var(--live-fade, 180ms);

    display: grid;
    grid-template: minmax(0, 1fr) / minmax(0, 1fr);
    aspect-ratio: var(--live-aspect-ratio, 16 / 9);
    min-inline-size: 0;
    overflow: hidden;
    border-radius: var(--_radius);
    background: var(--_background);
    color: var(--_foreground);
    color-scheme: dark;
    font: 400 1rem / 1.5 var(--_font);
    -webkit-tap-highlight-color: transparent;
  }

  :host([hidden]) {
    display: none;
  }

  :host(:fullscreen) {
    inline-size: 100%;
    block-size: 100%;
    border-radius: 0;
  }

  .frame {
    position: relative;
    display: grid;
    grid-template: minmax(0, 1fr) / minmax(0, 1fr);
    container-type: size;
  }

  video {
    grid-area: 1 / 1;
    inline-size: 100%;
    block-size: 100%;
    min-block-size: 0;
    object-fit: contain;
  }

  :host([object-fit='fillCrop']) video {
    object-fit: cover;
  }

  /* WeChat turns the picture, not the page: the box keeps its shape, the video fills it sideways. */
  :host([orientation='horizontal']) video {
    position: absolute;
    inset-block-start: 50%;
    inset-inline-start: 50%;
    inline-size: 100cqb;
    block-size: 100cqi;
    transform: translate(-50%, -50%) rotate(90deg);
  }

  .icon {
    display: inline-grid;
  }

  .icon svg {
    inline-size: 1.25rem;
    block-size: 1.25rem;
  }

  :is(.icon-play, .icon-pause) svg {
    fill: currentcolor;
  }

  .visually-hidden {
    position: absolute;
    inline-size: 1px;
    block-size: 1px;
    overflow: hidden;
    clip-path: inset(50%);
    white-space: nowrap;
  }

  button {
    font: inherit;
    color: inherit;
    cursor: pointer;
    touch-action: manipulation;
  }

  :is(button, input):focus-visible {
    outline: 2px solid var(--_focus);
    outline-offset: 2px;
  }

  /* ---- words ---- */

  .status {
    position: absolute;
    inset: 0;
    display: grid;
    place-items: center;
    padding: 1rem;
    pointer-events: none;
  }

  .words {
    display: grid;
    justify-items: center;
    gap: 0.5rem;
    max-inline-size: 30rem;
    padding: 1.25rem 1.5rem;
    border-radius: var(--_panel-radius);
    text-align: center;
    text-wrap: balance;
  }

  .words:has(.help) {
    background: var(--_scrim);
  }

  .words.plain {
    padding: 0.625rem 1.125rem 0.75rem;
    background: var(--_scrim);
  }

  p {
    margin: 0;
  }

  .line {
    font-size: 1.0625rem;
    font-weight: 600;
    font-variant-numeric: tabular-nums;
  }

  .plain .line {
    font-size: 1rem;
    font-weight: 500;
  }

  .line:empty {
    display: none;
  }

  .help {
    color: var(--_muted);
  }

  .busy {
    inline-size: 100%;
    min-inline-size: 6rem;
  }

  .action,
  .tap {
    display: inline-flex;
    align-items: center;
    gap: 0.625rem;
    min-block-size: var(--_control);
    padding: 0 1.25rem;
    border: 0;
    border-radius: 999px;
    background: var(--_foreground);
    color: var(--_background);
    font-weight: 600;
    pointer-events: auto;
  }

  .help ~ .action {
    margin-block-start: 0.5rem;
  }

  .tap {
    position: absolute;
    inset-block-start: max(1rem, env(safe-area-inset-top));
    inset-inline-start: 50%;
    transform: translateX(-50%);
    min-block-size: calc(var(--_control) + 4px);
    white-space: nowrap;
    box-shadow: 0 4px 24px rgb(0 0 0 / 40%);
  }

  /* ---- captions ---- */

  .captions {
    position: absolute;
    inset-inline: 8%;
    inset-block-end: calc(var(--_control) + 1.5rem + env(safe-area-inset-bottom));
    text-align: center;
    pointer-events: none;
    transition: inset-block-end var(--_fade);
  }

  .quiet .captions {
    inset-block-end: calc(1.25rem + env(safe-area-inset-bottom));
  }

  /* ---- controls ---- */

  .controls {
    position: absolute;
    inset-inline: 0;
    inset-block-end: 0;
    display: flex;
    align-items: center;
    gap: var(--_gap);
    padding: 2.5rem max(0.5rem, env(safe-area-inset-right)) max(0.375rem, env(safe-area-inset-bottom))
      max(0.5rem, env(safe-area-inset-left));
    background: linear-gradient(to top, rgb(0 0 0 / 78%), rgb(0 0 0 / 45%) 55%, transparent);
    transition: opacity var(--_fade);
  }

  .quiet {
    cursor: none;
  }

  .quiet .controls {
    opacity: 0;
    pointer-events: none;
  }

  .frame:focus-within .controls:has(:focus-visible) {
    opacity: 1;
    pointer-events: auto;
  }

  .button {
    display: inline-grid;
    place-items: center;
    inline-size: var(--_control);
    block-size: var(--_control);
    flex: none;
    border: 0;
    border-radius: var(--_panel-radius);
    background: transparent;
    padding: 0;
  }

  .badge {
    display: inline-flex;
    align-items: center;
    gap: 0.5rem;
    min-block-size: var(--_control);
    padding: 0 0.75rem;
    border: 0;
    border-radius: 10px;
    background: transparent;
    font-size: 0.875rem;
    font-weight: 600;
    white-space: nowrap;
  }

  @media (hover: hover) {
    :is(.button, .badge):hover {
      background: rgb(255 255 255 / 14%);
    }
  }

  .dot {
    inline-size: 0.5rem;
    block-size: 0.5rem;
    border-radius: 50%;
    background: var(--_accent);
  }

  .behind .dot {
    background: transparent;
    box-shadow: inset 0 0 0 2px var(--_muted);
  }

  .delay {
    min-inline-size: 6ch;
    color: var(--_muted);
    font-weight: 400;
    font-variant-numeric: tabular-nums;
    text-align: start;
  }

  .gap {
    flex: 1;
  }

  .volume {
    inline-size: 5.5rem;
    block-size: var(--_control);
    margin: 0;
    accent-color: var(--_foreground);
    cursor: pointer;
  }

  /* Phones have keys for the volume, and no room. */
  @media (hover: none) {
    .volume {
      display: none;
    }
  }

  @container (max-width: 26rem) {
    .volume {
      display: none;
    }
  }

  /* ---- numbers (debug) ---- */

  .numbers {
    position: absolute;
    inset-block-start: 0.75rem;
    inset-inline-start: 0.75rem;
    margin: 0;
    padding: 0.5rem 0.75rem;
    border-radius: 8px;
    background: var(--_scrim);
    font-size: 0.75rem;
    font-variant-numeric: tabular-nums;
    pointer-events: none;
  }

  .numbers div {
    display: flex;
    justify-content: space-between;
    gap: 1.5rem;
  }

  .numbers dd {
    margin: 0;
  }

  @media (prefers-reduced-motion: reduce) {
    .controls,
    .captions {
      transition: none;
    }
  }
`;
