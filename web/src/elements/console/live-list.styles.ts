//! Looks of the list of streams.

import { css } from 'lit';

export const liveListStyles = css`
  .tools {
    display: grid;
    grid-template-columns: minmax(0, 1fr) auto;
    align-items: center;
    gap: 0.75rem 1.25rem;
  }

  .search {
    position: relative;
    display: grid;
    align-items: center;
  }

  .search .icon {
    position: absolute;
    inset-inline-start: 0.875rem;
    color: var(--om-muted);
    pointer-events: none;
  }

  .search input {
    padding-inline-start: 2.625rem;
  }

  .sort {
    display: flex;
    align-items: center;
    gap: 0.625rem;
    color: var(--om-muted);
    font-size: 0.9375rem;
    white-space: nowrap;
  }

  .sort select {
    color: var(--om-text);
  }

  .count {
    grid-column: 1 / -1;
    font-size: 0.9375rem;
  }

  .streams {
    display: grid;
    grid-template-columns: repeat(auto-fill, minmax(min(100%, 19rem), 1fr));
    gap: 1.25rem;
  }

  .pager {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    justify-content: center;
    gap: 0.75rem 1.25rem;
  }

  @media (min-width: 48rem) {
    .tools {
      grid-template-columns: minmax(0, 24rem) auto 1fr;
    }

    .count {
      grid-column: auto;
      text-align: end;
    }
  }

  @media (max-width: 30rem) {
    .sort > span {
      position: absolute;
      inline-size: 1px;
      block-size: 1px;
      overflow: hidden;
      clip-path: inset(50%);
    }
  }
`;
