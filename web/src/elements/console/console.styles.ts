//! Looks that the console's pages share: panels, notices, forms, states.

import { css } from 'lit';

export const consoleStyles = css`
  .page {
    display: grid;
    gap: 1.5rem;
    min-inline-size: 0;
  }

  .page > * {
    min-inline-size: 0;
  }

  .title {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    justify-content: space-between;
    gap: 0.75rem 1.5rem;
  }

  .lead {
    max-inline-size: 44rem;
    color: var(--om-muted);
    text-wrap: pretty;
  }

  /* A live region that says nothing takes no room; it must stay there to be heard later. */
  [role='status']:empty,
  [role='alert']:empty {
    position: absolute;
  }

  .panel {
    display: grid;
    gap: 1rem;
    align-content: start;
    min-inline-size: 0;
    padding: 1.25rem;
    border: 1px solid var(--om-line);
    border-radius: var(--om-radius);
    background: var(--om-surface);
  }

  .panel > * {
    min-inline-size: 0;
  }

  .panel > header {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    justify-content: space-between;
    gap: 0.5rem 1rem;
    min-block-size: 44px;
  }

  .columns {
    display: grid;
    grid-template-columns: repeat(auto-fit, minmax(min(100%, 30rem), 1fr));
    gap: 1.5rem;
    align-items: start;
  }

  .row {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    gap: 0.625rem;
  }

  .notice {
    display: flex;
    gap: 0.75rem;
    align-items: start;
    padding: 0.75rem 1rem;
    border-radius: 10px;
    background: var(--om-sunken);
    overflow-wrap: anywhere;
  }

  .notice .icon {
    margin-block-start: 0.1875rem;
  }

  .notice.warn .icon {
    color: var(--om-warn);
  }

  .notice.bad {
    background: var(--om-danger-soft);
  }

  .notice.bad .icon {
    color: var(--om-danger);
  }

  .notice.good {
    background: var(--om-accent-soft);
  }

  .notice.good .icon {
    color: var(--om-accent);
  }

  .detail {
    display: block;
    margin-block-start: 0.125rem;
    color: var(--om-muted);
    font-size: 0.875rem;
  }

  .press.danger {
    color: var(--om-danger);
  }

  .press.danger.main {
    background: var(--om-danger);
    color: var(--om-on-danger);
  }

  .press.small {
    padding-inline: 0.75rem;
    font-size: 0.875rem;
  }

  .press[disabled] {
    color: var(--om-muted);
    cursor: default;
    filter: none;
  }

  .press.main[disabled] {
    background: var(--om-sunken);
  }

  .field {
    display: grid;
    gap: 0.25rem;
    min-inline-size: 0;
  }

  .field > span {
    color: var(--om-muted);
    font-size: 0.8125rem;
  }

  :is(input:not([type='radio'], [type='checkbox']), select) {
    inline-size: 100%;
    min-block-size: 44px;
    padding: 0 0.875rem;
    border: 1px solid var(--om-edge);
    border-radius: 10px;
    background: var(--om-surface);
    color: inherit;
    font: inherit;
  }

  input::placeholder {
    color: var(--om-muted);
    opacity: 1;
  }

  .check {
    display: inline-flex;
    align-items: center;
    gap: 0.625rem;
    min-block-size: 44px;
    cursor: pointer;
  }

  .check input {
    flex: none;
    inline-size: 1.25rem;
    block-size: 1.25rem;
    margin: 0;
    accent-color: var(--om-accent);
  }

  .facts {
    display: grid;
    grid-template-columns: repeat(auto-fill, minmax(min(100%, 9rem), 1fr));
    gap: 1rem 1.25rem;
    font-size: 0.9375rem;
  }

  dt {
    color: var(--om-muted);
    font-size: 0.8125rem;
  }

  dd {
    overflow-wrap: anywhere;
    font-variant-numeric: tabular-nums;
  }

  .more {
    display: block;
    color: var(--om-muted);
    font-size: 0.875rem;
    font-weight: 400;
    overflow-wrap: anywhere;
  }

  .state {
    display: inline-flex;
    align-items: center;
    gap: 0.5rem;
    font-weight: 550;
    white-space: nowrap;
  }

  .state::before {
    content: '';
    flex: none;
    inline-size: 0.5rem;
    block-size: 0.5rem;
    border-radius: 50%;
    background: currentcolor;
  }

  .state.good {
    color: var(--om-accent);
  }

  .state.warn {
    color: var(--om-warn);
  }

  .state.bad {
    color: var(--om-danger);
  }

  .empty {
    padding: 1.5rem;
    border: 1px dashed var(--om-line);
    border-radius: 10px;
    color: var(--om-muted);
    text-align: center;
    text-wrap: balance;
  }
`;

/** A dialog over the page: a form of its own. */
export const dialogStyles = css`
  dialog {
    border: 1px solid var(--om-line);
    border-radius: var(--om-radius);
    background: var(--om-surface);
    color: var(--om-text);
  }

  dialog::backdrop {
    background: rgb(0 0 0 / 55%);
  }

  dialog form {
    display: grid;
    gap: 1rem;
  }
`;
