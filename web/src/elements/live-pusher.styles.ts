//! Looks of `<live-pusher>`: those of the player, with what is its own.

import { css } from 'lit';
import { playerStyles } from './live-player.styles.ts';

export const pusherStyles = [
  playerStyles,
  css`
    :host {
      --_live: var(--live-on-air, #ff5c50);
      aspect-ratio: var(--live-aspect-ratio, var(--_shape, 16 / 9));
    }

    /* The player turns a tag that lies on its side; here the camera turns itself. */
    :host([orientation]) .frame > video {
      position: static;
      inline-size: 100%;
      block-size: 100%;
      transform: none;
    }

    :host([orientation]) .frame > video.mirrored {
      transform: scaleX(-1);
    }

    /* Words keep clear of the controls; in a small box the title has to do, and the page says the rest. */
    .status {
      padding-block-end: calc(var(--_control) + 2rem);
    }

    @container (max-height: 22rem) {
      .help {
        display: none;
      }
    }

    .controls {
      padding-inline: max(0.75rem, env(safe-area-inset-left)) max(0.75rem, env(safe-area-inset-right));
      padding-block-end: max(0.75rem, env(safe-area-inset-bottom));
    }

    .controls .button.off {
      background: var(--_foreground);
      color: var(--_background);
    }

    .controls .action {
      min-block-size: calc(var(--_control) + 8px);
      padding-inline: 1.5rem;
      background: var(--_accent);
      color: #04140f;
      font-size: 1.0625rem;
      white-space: nowrap;
    }

    /* How loud one is: grows from the left above the controls. */
    .level {
      position: absolute;
      inset-inline: 0;
      inset-block-end: 0;
      block-size: 4px;
      background: rgb(255 255 255 / 16%);
    }

    .level span {
      display: block;
      block-size: 100%;
      background: var(--_accent);
      transform: scaleX(var(--_loudness, 0));
      transform-origin: left;
      transition: transform 180ms linear;
    }

    .top {
      position: absolute;
      inset-block-start: max(0.75rem, env(safe-area-inset-top));
      inset-inline: max(0.75rem, env(safe-area-inset-left)) max(0.75rem, env(safe-area-inset-right));
      display: grid;
      justify-items: start;
      gap: 0.5rem;
      pointer-events: none;
    }

    .badge {
      min-block-size: 36px;
      border-radius: 999px;
      background: var(--_scrim);
    }

    .badge .dot {
      background: var(--_live);
    }

    .badge .delay {
      min-inline-size: 0;
    }

    .notice {
      display: flex;
      align-items: center;
      gap: 0.25rem;
      padding-inline-start: 1rem;
      border-radius: var(--_panel-radius);
      background: var(--_scrim);
      font-size: 0.9375rem;
      text-wrap: balance;
      pointer-events: auto;
    }

    .numbers {
      inset-block-start: 4rem;
    }

    .controls .action.end {
      background: var(--_live);
      color: #2a0503;
    }

    @media (hover: hover) {
      .action:hover {
        filter: brightness(1.08);
      }
    }
  `,
];
