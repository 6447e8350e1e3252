// The result on the page: a grid of rows, or the tree of a query plan. Called by main.js; never talks to the database.
import { el, format } from '../page.js';

const BLOB_BYTES_SHOWN = 24;
const TEXT_SHOWN = 400;

/** A table to which rows (arrays) can be added page by page. */
export class Grid {
  #body = el('tbody');
  #head = el('tr');
  element = el('div', { className: 'grid', tabIndex: 0, role: 'group', ariaLabel: 'Rows' });

  /** `columns`: {name, type}; the type is the one the table declares, null for expressions. */
  constructor(columns) {
    this.#head.append(...columns.map(({ name, type }) => el('th', { scope: 'col' }, name, el('small', {}, type?.toLowerCase() ?? ''))));
    this.element.append(el('table', {}, el('thead', {}, this.#head), this.#body));
  }

  add(rows) {
    const first = this.#body.children.length === 0;
    this.#body.append(...rows.map(row => el('tr', {}, ...row.map(cell))));
    if (first) this.#alignHead(rows);
  }

  /** A column's head stands over its values: right where the first value that is not NULL is a number. */
  #alignHead(rows) {
    [...this.#head.children].forEach((head, i) => {
      const sample = rows.find(row => row[i] !== null)?.[i];
      head.classList.toggle('numeric', typeof sample === 'number' || typeof sample === 'bigint');
    });
  }
}

function cell(value) {
  if (value === null) return el('td', { className: 'null' }, 'NULL');
  if (value instanceof Uint8Array) return el('td', { className: 'blob', title: `${format(value.length)} bytes` }, hex(value));
  if (typeof value !== 'string') return el('td', { className: 'numeric' }, String(value));
  return el('td', value.length > 60 ? { title: value.slice(0, 4000) } : {}, value.length > TEXT_SHOWN ? `${value.slice(0, TEXT_SHOWN)}…` : value);
}

function hex(bytes) {
  const shown = [...bytes.subarray(0, BLOB_BYTES_SHOWN)].map(byte => byte.toString(16).padStart(2, '0')).join('');
  return bytes.length > BLOB_BYTES_SHOWN ? `x'${shown}…' (${format(bytes.length)} bytes)` : `x'${shown}'`;
}

/** Rows of EXPLAIN QUERY PLAN ({id, parent, detail}) as an indented tree. */
export function planTree(rows) {
  const lines = [];
  const visit = (parent, depth) => {
    for (const row of rows.filter(candidate => candidate.parent === parent)) {
      lines.push(`${'   '.repeat(depth)}${depth ? '└─ ' : ''}${row.detail}`);
      visit(row.id, depth + 1);
    }
  };
  visit(0, 0);
  return el('pre', { className: 'plan' }, lines.join('\n'));
}
