//! The stage: tiles in a grid, one large with the others beside it, or two who talk; and what flies over it.

import { css } from 'lit';

export const stageStyles = css`
  .room {
    position: absolute;
    inset: 0;
    display: grid;
    grid-template: minmax(0, 1fr) / minmax(0, 1fr);
  }

  .room.paneled:not(.narrow) {
    grid-template-columns: minmax(0, 1fr) 23rem;
  }

  .stage-box {
    position: relative;
    min-inline-size: 0;
    overflow: hidden;
    isolation: isolate;
    container-type: size;
  }

  .stage {
    --_gap: 8px;
    --_top: calc(max(0.5rem, env(safe-area-inset-top)) + 52px);
    --_bottom: calc(max(1rem, env(safe-area-inset-bottom)) + var(--_control) + 22px);
    --_side: max(12px, env(safe-area-inset-left), env(safe-area-inset-right));

    position: absolute;
    inset: 0;
  }

  .tile {
    position: relative;
    display: grid;
    place-items: center;
    min-inline-size: 0;
    min-block-size: 0;
    overflow: hidden;
    border-radius: 14px;
    background: var(--_tile);
    container-type: size;
  }

  .tile video {
    position: absolute;
    inset: 0;
    inline-size: 100%;
    block-size: 100%;
    object-fit: cover;
  }

  .tile video[hidden] {
    display: none;
  }

  .tile video.contained,
  .tile.whole video {
    object-fit: contain;
  }

  .tile.mirrored video {
    transform: scaleX(-1);
  }

  .tile > .face {
    inline-size: clamp(2.5rem, 28cqmin, 7rem);
    block-size: clamp(2.5rem, 28cqmin, 7rem);
    font-size: clamp(1.125rem, 12cqmin, 3rem);
  }

  .tile::after {
    content: '';
    position: absolute;
    inset: 0;
    border-radius: inherit;
    box-shadow: inset 0 0 0 3px var(--_accent);
    opacity: 0;
    transition: opacity 120ms;
    pointer-events: none;
  }

  .tile.speaking::after {
    opacity: 1;
  }

  .tile figcaption {
    position: absolute;
    inset-block-end: 8px;
    inset-inline-start: 8px;
    display: flex;
    align-items: center;
    gap: 0.375rem;
    max-inline-size: calc(100% - 16px);
    padding: 0.125rem 0.625rem;
    border-radius: 999px;
    background: var(--_scrim);
    font-size: 0.8125rem;
    font-weight: 550;
  }

  .tile figcaption span:not(.icon) {
    overflow: hidden;
    text-overflow: ellipsis;
    white-space: nowrap;
  }

  .tile figcaption .icon svg {
    inline-size: 0.875rem;
    block-size: 0.875rem;
  }

  .tile .state {
    position: absolute;
    inset-block-start: calc(50% + clamp(1.5rem, 16cqmin, 4rem));
    max-inline-size: calc(100% - 1rem);
    color: var(--_muted);
    font-size: 0.8125rem;
    text-align: center;
    text-wrap: balance;
  }

  .tile .round.flip {
    position: absolute;
    inset-block-start: 4px;
    inset-inline-end: 4px;
    inline-size: 44px;
    block-size: 44px;
    background: var(--_scrim);
  }

  /* ---- gallery ---- */

  .gallery {
    display: flex;
    flex-wrap: wrap;
    place-content: center;
    gap: var(--_gap);
    padding: var(--_top) var(--_side) var(--_bottom);
  }

  /* The pages' buttons have their own room below the tiles. */
  .gallery.paged {
    padding-block-end: calc(var(--_bottom) + 60px);
  }

  .gallery .tile {
    inline-size: var(--tile-inline, 100%);
    block-size: var(--tile-block, 100%);
  }

  .pages {
    position: absolute;
    z-index: 2;
    inset-block-end: calc(max(1rem, env(safe-area-inset-bottom)) + var(--_control) + 30px);
    inset-inline-start: 50%;
    display: flex;
    align-items: center;
    gap: 0.25rem;
    border-radius: 999px;
    background: var(--_scrim);
    font-size: 0.875rem;
    transform: translateX(-50%);
  }

  /* ---- one large, the others beside it ---- */

  .lead {
    display: grid;
    grid-template: minmax(0, 1fr) / minmax(0, 1fr) clamp(9rem, 17cqi, 15rem);
    gap: var(--_gap);
    padding: 12px var(--_side);
  }

  .lead.alone,
  .lead.pair {
    grid-template-columns: minmax(0, 1fr);
    padding: 0;
  }

  :is(.lead.alone, .lead.pair) > .main {
    border-radius: 0;
  }

  /* The name is in the way of the controls there. */
  .lead > .main > figcaption {
    inset-block: auto calc(max(1rem, env(safe-area-inset-bottom)) + 0.75rem);
    inset-inline-start: max(1rem, env(safe-area-inset-left));
  }

  .strip {
    display: grid;
    grid-auto-rows: min-content;
    align-content: safe center;
    gap: var(--_gap);
    min-block-size: 0;
    overflow: hidden auto;
    padding-block: 52px calc(var(--_control) + 2rem);
    scrollbar-width: none;
  }

  .strip .tile {
    aspect-ratio: 16 / 9;
  }

  .pair .strip {
    position: absolute;
    z-index: 1;
    inset-block-end: calc(max(1rem, env(safe-area-inset-bottom)) + 0.5rem);
    inset-inline-end: max(1rem, env(safe-area-inset-right));
    inline-size: clamp(7rem, 18cqi, 15rem);
    overflow: visible;
    padding: 0;
  }

  .pair .strip .tile {
    box-shadow: 0 6px 28px rgb(0 0 0 / 45%);
  }

  .board {
    position: relative;
    display: grid;
    min-block-size: 0;
    overflow: hidden;
    border-radius: 14px;
    background: var(--_tile);
  }

  .board ::slotted(*) {
    inline-size: 100%;
    block-size: 100%;
    min-block-size: 0;
  }

  .narrow .lead:not(.pair, .alone) {
    grid-template: auto minmax(0, 1fr) / minmax(0, 1fr);
    padding: var(--_top) 8px var(--_bottom);
  }

  .narrow .lead:not(.pair, .alone) > .main {
    grid-row: 2;
  }

  .narrow .lead:not(.pair, .alone) > .strip {
    grid-row: 1;
    grid-auto-flow: column;
    grid-template-rows: auto;
    grid-auto-columns: 8.5rem;
    align-content: normal;
    justify-content: safe center;
    overflow: auto hidden;
    padding: 0;
  }

  .narrow .lead:not(.pair, .alone) > .main > figcaption {
    inset-block-end: 8px;
    inset-inline-start: 8px;
  }

  .narrow .pair .strip {
    inset-block-end: var(--_bottom);
    inset-inline-end: 12px;
    inline-size: 6.5rem;
  }

  .narrow .pair .strip .tile {
    aspect-ratio: 3 / 4;
  }

  :is(.lead.alone, .lead.pair) > .main::after {
    display: none;
  }

  .narrow .pair > .main > figcaption {
    max-inline-size: calc(100% - 9rem);
    inset-block-end: var(--_bottom);
    inset-inline-start: 12px;
  }

  /* ---- audience ---- */

  .audience {
    display: grid;
    grid-template: minmax(0, 1fr) / minmax(0, 1fr);
  }

  .audience.slides {
    grid-template-columns: minmax(0, 1fr) clamp(9rem, 22cqi, 20rem);
    gap: var(--_gap);
    padding: 12px var(--_side) var(--_bottom);
  }

  .watch {
    display: grid;
    min-block-size: 0;
  }

  .audience live-player {
    --live-aspect-ratio: auto;
    --live-radius: 0px;
    --live-background: transparent;

    min-block-size: 0;
    block-size: 100%;
  }

  .audience .strip live-player {
    --live-aspect-ratio: 16 / 9;
    --live-radius: 14px;

    block-size: auto;
  }

  /* ---- what flies over it ---- */

  .fly {
    position: absolute;
    z-index: 1;
    inset: 0;
    overflow: hidden;
    pointer-events: none;
  }

  .fly .line {
    position: absolute;
    inset-block-start: calc(64px + var(--lane, 0) * 2.25rem);
    inset-inline-start: 100%;
    padding: 0.125rem 0.75rem;
    border-radius: 999px;
    font-size: clamp(1rem, 2.2cqi, 1.375rem);
    font-weight: 600;
    text-shadow: 0 1px 3px rgb(0 0 0 / 85%), 0 0 1px #000000;
    white-space: nowrap;
    animation: fly 8s linear forwards;
  }

  .fly .line.own {
    background: rgb(0 0 0 / 38%);
  }

  .fly .sign {
    position: absolute;
    inset-block-end: 5.5rem;
    inset-inline-end: calc(1rem + var(--from, 0) * 0.06rem);
    font-size: 2rem;
    opacity: 0;
    animation: rise 2.8s var(--late, 0ms) ease-out forwards;
  }

  @keyframes fly {
    to {
      transform: translateX(calc(-100cqi - 100%));
    }
  }

  @keyframes rise {
    0% {
      opacity: 0;
      transform: translateY(1rem) scale(0.6);
    }

    15% {
      opacity: 1;
      transform: translateY(0) scale(1.1);
    }

    100% {
      opacity: 0;
      transform: translateY(-45cqb) scale(1);
    }
  }

  @media (prefers-reduced-motion: reduce) {
    .tile::after {
      transition: none;
    }
  }
`;
