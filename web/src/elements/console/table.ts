//! A table that becomes a list of cards where it is narrow. Roles are written out: display changes take them away.

import { type TemplateResult, css, html } from 'lit';

export interface Column<Row> {
  readonly name: string;
  readonly cell: (row: Row) => unknown;
  /** Numbers stand at the end of their column. */
  readonly number?: boolean;
  /** The column that names the row; first on a card. */
  readonly head?: boolean;
  /** A word or two that are not to be torn apart. */
  readonly short?: boolean;
  /** A column of buttons, which needs no name to be seen. */
  readonly actions?: boolean;
}

export function renderTable<Row>(label: string, columns: readonly Column<Row>[], rows: readonly Row[]): TemplateResult {
  const kind = ({ number, head, actions, short }: Column<Row>): string =>
    number === true ? 'number' : head === true ? 'head' : actions === true ? 'actions' : short === true ? 'short' : '';
  return html`
    <div class="table">
      <table role="table" aria-label=${label}>
        <thead role="rowgroup">
          <tr role="row">
            ${columns.map(
              (column) => html`
                <th role="columnheader" scope="col" class=${kind(column)}>
                  <span class=${column.actions === true ? 'visually-hidden' : ''}>${column.name}</span>
                </th>
              `,
            )}
          </tr>
        </thead>
        <tbody role="rowgroup">
          ${rows.map(
            (row) => html`
              <tr role="row">
                ${columns.map(
                  (column) => html`
                    <td role="cell" class=${kind(column)} data-label=${column.name}><div>${column.cell(row)}</div></td>
                  `,
                )}
              </tr>
            `,
          )}
        </tbody>
      </table>
    </div>
  `;
}

export const tableStyles = css`
  .table {
    container-type: inline-size;
    min-inline-size: 0;
  }

  table {
    inline-size: 100%;
    border-collapse: collapse;
    font-size: 0.9375rem;
    font-variant-numeric: tabular-nums;
  }

  th {
    padding: 0 0.75rem 0.5rem 0;
    color: var(--om-muted);
    font-size: 0.8125rem;
    font-weight: 400;
    text-align: start;
    white-space: nowrap;
  }

  td {
    padding: 0.625rem 0.75rem 0.625rem 0;
    border-block-start: 1px solid var(--om-line);
    vertical-align: middle;
  }

  td.head,
  td .more {
    overflow-wrap: anywhere;
  }

  td.short {
    white-space: nowrap;
  }

  :is(th, td):last-child {
    padding-inline-end: 0;
  }

  :is(th, td).number {
    text-align: end;
    white-space: nowrap;
  }

  td.head {
    font-weight: 550;
  }

  td.actions {
    inline-size: 1%;
    padding-block: 0.25rem;
    text-align: end;
  }

  td.actions > div {
    display: flex;
    justify-content: end;
    gap: 0.5rem;
  }

  @container (max-width: 44rem) {
    thead {
      position: absolute;
      inline-size: 1px;
      block-size: 1px;
      overflow: hidden;
      clip-path: inset(50%);
    }

    table,
    tbody {
      display: block;
    }

    tr {
      display: grid;
      grid-template-columns: repeat(auto-fit, minmax(min(100%, 5.75rem), 1fr));
      gap: 0.5rem 1rem;
      padding-block: 1rem;
      border-block-start: 1px solid var(--om-line);
    }

    tbody tr:first-child {
      padding-block-start: 0.25rem;
      border-block-start: 0;
    }

    td,
    td:is(.number, .short) {
      padding: 0;
      border: 0;
      text-align: start;
      white-space: normal;
    }

    td::before {
      content: attr(data-label);
      display: block;
      color: var(--om-muted);
      font-size: 0.8125rem;
      font-weight: 400;
    }

    td:is(.head, .actions) {
      grid-column: 1 / -1;
      inline-size: auto;
      padding: 0;
    }

    td.actions::before,
    td.head::before {
      content: none;
    }

    td.actions > div {
      flex-wrap: wrap;
      justify-content: start;
    }
  }
`;
