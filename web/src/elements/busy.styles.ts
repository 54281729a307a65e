//! A line that moves while something is awaited, beside the words that say what.

import { css } from 'lit';

export const busyStyles = css`
  .busy {
    position: relative;
    overflow: hidden;
    block-size: 2px;
    border-radius: 1px;
    background: rgb(255 255 255 / 18%);
  }

  .busy::after {
    content: '';
    position: absolute;
    inset: 0;
    inline-size: 40%;
    border-radius: inherit;
    background: var(--_accent);
    animation: sweep 1.4s ease-in-out infinite alternate;
  }

  @keyframes sweep {
    to {
      transform: translateX(150%);
    }
  }

  @media (prefers-reduced-motion: reduce) {
    .busy::after {
      animation: none;
      inline-size: 100%;
    }
  }
`;
