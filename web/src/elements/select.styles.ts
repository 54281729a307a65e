//! A drop-down list with an icon of ours. Stands after the looks of fields, whose padding it changes.

import { css } from 'lit';

export const selectStyles = css`
  .select {
    position: relative;
    display: block;
  }

  .select .icon {
    position: absolute;
    inset-block: 0;
    inset-inline-end: 0.875rem;
    align-content: center;
    color: var(--_panel-muted, var(--om-muted));
    pointer-events: none;
  }

  .field select {
    appearance: none;
    padding-inline-end: 2.5rem;
  }
`;
