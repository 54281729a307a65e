//! What is in the panel of settings: choices, switches, fields.

import { css } from 'lit';

export const settingsStyles = css`
  .settings section {
    display: grid;
    gap: 0.625rem;
  }

  .choices {
    display: grid;
    grid-template-columns: repeat(3, minmax(0, 1fr));
    gap: 0.5rem;
  }

  .choice {
    position: relative;
    display: grid;
    place-items: center;
    align-content: center;
    gap: 0.25rem;
    min-block-size: 76px;
    border: 1px solid var(--_panel-line);
    border-radius: 12px;
    color: var(--_panel-muted);
    font-size: 0.875rem;
    cursor: pointer;
  }

  .choice:has(:checked) {
    border-color: var(--_panel-accent);
    box-shadow: inset 0 0 0 1px var(--_panel-accent);
    color: var(--_panel-text);
  }

  .choice:has(:focus-visible) {
    outline: 2px solid var(--_focus);
    outline-offset: 2px;
  }

  .choice input {
    position: absolute;
    inset: 0;
    margin: 0;
    opacity: 0;
    cursor: pointer;
  }

  .switch {
    display: flex;
    align-items: center;
    justify-content: space-between;
    gap: 1rem;
    min-block-size: 44px;
    cursor: pointer;
  }

  .switch input {
    appearance: none;
    flex: none;
    position: relative;
    inline-size: 46px;
    block-size: 28px;
    margin: 0;
    border-radius: 14px;
    background: var(--_panel-edge);
    cursor: pointer;
    transition: background-color var(--_fade);
  }

  .switch input::after {
    content: '';
    position: absolute;
    inset-block-start: 3px;
    inset-inline-start: 3px;
    inline-size: 22px;
    block-size: 22px;
    border-radius: 50%;
    background: #ffffff;
    transition: transform var(--_fade);
  }

  .switch input:checked {
    background: var(--_panel-accent);
  }

  .switch input:checked::after {
    transform: translateX(18px);
  }

  .field,
  .field label {
    display: grid;
    gap: 0.25rem;
    color: var(--_panel-muted);
    font-size: 0.875rem;
  }

  .field :is(input, select) {
    inline-size: 100%;
    min-inline-size: 0;
    min-block-size: 44px;
    padding: 0 0.875rem;
    border: 1px solid var(--_panel-edge);
    border-radius: 10px;
    background: var(--_panel);
    color: var(--_panel-text);
    font-size: 1rem;
    text-overflow: ellipsis;
  }

  .field select:disabled {
    border-color: var(--_panel-line);
    color: var(--_panel-muted);
    opacity: 1;
  }

  .panel option {
    background: Canvas;
    color: CanvasText;
  }

  @media (prefers-reduced-motion: reduce) {
    .switch input,
    .switch input::after {
      transition: none;
    }
  }
`;
