// A result as a grid of which only the rows in sight are in the page, so that it scrolls 100,000 as it scrolls ten. Called by output.js and by the SQL tour;
// never talks to the database. A grid as ARIA has it: the arrows move a cell, Shift extends the selection, Ctrl+C copies it.
import { el } from '../page.js';
import { isNumber, short } from './cells.js';

/** As in style.css. Browsers draw no element higher than about 17 million pixels, which is what bounds the rows of a grid. */
const ROW_PX = 26;
export const GRID_ROWS_MAX = 600_000;
/** Rows kept beyond both edges, for the moment between scrolling and drawing. */
const OVERSCAN = 8;
const ROWS_MEASURED = 50;
const [COLUMN_PX_MIN, COLUMN_PX_MAX, COLUMN_PADDING_PX, NUMBER_PX] = [56, 420, 26, 68];

let grids = 0;

export class Grid {
  rows = [];
  #columns;
  /** Left edges, and at the end the right one: fixed with the first rows, so that nothing moves while scrolling. */
  #edges = [];
  /** A column's head stands over its values: right where the first value that is not NULL is a number. */
  #isRight = [];
  #at = { row: 0, column: 0 };
  #anchor = this.#at;
  #drawn = '';
  /** Of the active cell. */
  #id = `grid-cell-${++grids}`;
  #head = el('div', { className: 'grid-row grid-head', role: 'row', ariaRowIndex: '1' });
  #body = el('div', { className: 'grid-body', role: 'rowgroup' });
  #onOpen;
  #onCopy;
  element = el('div', { className: 'grid', tabIndex: 0, role: 'grid', ariaLabel: 'Rows', ariaReadOnly: 'true', ariaMultiSelectable: 'true' });

  /** `columns`: {name, type}; the type is the one the table declares, null for expressions. `onOpen()` wants to see a cell whole, `onCopy()` to copy. */
  constructor(columns, { onOpen = () => {}, onCopy = () => {} } = {}) {
    this.#columns = columns;
    this.#onOpen = onOpen;
    this.#onCopy = onCopy;
    this.element.append(el('div', { role: 'rowgroup', className: 'grid-top' }, this.#head), this.#body);
    this.element.ariaColCount = String(columns.length + 1);
    this.element.addEventListener('scroll', () => this.#draw());
    this.element.addEventListener('keydown', event => this.#onKey(event));
    this.element.addEventListener('mousedown', event => this.#onMouse(event));
    this.element.addEventListener('mouseover', event => event.buttons === 1 && this.#onMouse(event, true));
    this.element.addEventListener('dblclick', () => this.#onOpen());
    // Tells also of the moment in which it comes into the page.
    new ResizeObserver(() => this.#draw()).observe(this.element);
  }

  /** Adds rows (arrays) below. */
  add(rows) {
    const isFirst = this.rows.length === 0;
    for (const row of rows) this.rows.push(row);
    if (isFirst) this.#layOut();
    this.element.ariaRowCount = String(this.rows.length + 1);
    this.#body.style.height = `${this.rows.length * ROW_PX}px`;
    this.#draw();
  }

  /** The cell that the keyboard is at. */
  get cell() {
    const { row, column } = this.#at;
    return { row, column: this.#columns[column], value: this.rows[row]?.[column] };
  }

  /** The selected cells, row by row, and their columns; everything while only one cell is. */
  get selection() {
    const [top, bottom, left, right] = this.#range();
    if (top === bottom && left === right) return { columns: this.#columns, rows: this.rows };
    return { columns: this.#columns.slice(left, right + 1), rows: this.rows.slice(top, bottom + 1).map(row => row.slice(left, right + 1)) };
  }

  #layOut() {
    const pen = document.createElement('canvas').getContext('2d');
    pen.font = '600 14px system-ui, sans-serif';
    const sample = this.rows.slice(0, ROWS_MEASURED);
    const wide = text => pen.measureText(text).width;
    this.#edges = [NUMBER_PX];
    this.#columns.forEach(({ name, type }, at) => {
      const needed = Math.max(wide(name), wide(type ?? '') * 0.9, ...sample.map(row => wide(short(row[at]).text.slice(0, 80))));
      this.#edges.push(this.#edges.at(-1) + Math.min(COLUMN_PX_MAX, Math.max(COLUMN_PX_MIN, Math.ceil(needed) + COLUMN_PADDING_PX)));
    });
    this.#isRight = this.#columns.map((_, at) => isNumber(sample.find(row => row[at] !== null)?.[at]));
    const heads = this.#columns.map(({ name, type }, at) => this.#place(
      el('span', { role: 'columnheader', className: this.#isRight[at] ? 'numeric' : '', title: name }, name, el('small', {}, type?.toLowerCase() ?? '')), at));
    this.#head.classList.toggle('typed', this.#columns.some(({ type }) => type));
    this.#head.replaceChildren(el('span', { role: 'columnheader', className: 'grid-number', ariaColIndex: '1', ariaLabel: 'Row' }, '#'), ...heads);
    for (const part of [this.#head, this.#body]) part.style.minWidth = `${this.#edges.at(-1)}px`;
  }

  /** The last column, if it is text, takes what room there is. */
  #place(cell, at) {
    cell.style.left = `${this.#edges[at]}px`;
    if (at === this.#columns.length - 1 && !this.#isRight[at]) cell.style.right = '0';
    else cell.style.width = `${this.#edges[at + 1] - this.#edges[at]}px`;
    cell.ariaColIndex = String(at + 2);
    return cell;
  }

  /** Draws what is in sight, unless that is what stands there, and marks the selection in it. */
  #draw() {
    const { scrollTop, clientHeight, scrollLeft, clientWidth } = this.element;
    if (clientHeight === 0) return;
    const first = Math.max(0, Math.floor(scrollTop / ROW_PX) - OVERSCAN);
    const end = Math.min(this.rows.length, Math.ceil((scrollTop + clientHeight) / ROW_PX) + OVERSCAN);
    const left = Math.max(0, this.#edges.findLastIndex(edge => edge <= scrollLeft));
    const right = this.#columns.filter((_, at) => this.#edges[at] < scrollLeft + clientWidth).length;
    const wanted = [first, end, left, right].join();
    if (wanted !== this.#drawn) {
      this.#drawn = wanted;
      this.#body.replaceChildren(...this.rows.slice(first, end).map((values, at) => this.#row(first + at, values.slice(left, right), left)));
    }
    this.#mark();
  }

  #row(row, values, left) {
    const number = el('span', { role: 'rowheader', className: 'grid-number', ariaColIndex: '1' }, String(row + 1));
    const cells = values.map((value, at) => {
      const { text, kind } = short(value);
      return this.#place(el('span', { role: 'gridcell', className: kind }, text), left + at);
    });
    const line = el('div', { className: 'grid-row', role: 'row', ariaRowIndex: String(row + 2) }, number, ...cells);
    line.style.top = `${row * ROW_PX}px`;
    return line;
  }

  #mark() {
    const [top, bottom, left, right] = this.#range();
    this.element.removeAttribute('aria-activedescendant');
    for (const cell of this.#body.querySelectorAll('[role="gridcell"]')) {
      const { row, column } = place(cell);
      const isSelected = row >= top && row <= bottom && column >= left && column <= right;
      const isActive = row === this.#at.row && column === this.#at.column;
      cell.classList.toggle('selected', isSelected);
      cell.classList.toggle('active', isActive);
      cell.ariaSelected = String(isSelected);
      if (isActive) {
        cell.id = this.#id;
        this.element.setAttribute('aria-activedescendant', this.#id);
      } else cell.removeAttribute('id');
    }
  }

  /** Top, bottom, left, right of the selection, all of them inside. */
  #range() {
    const [a, b] = [this.#at, this.#anchor];
    return [Math.min(a.row, b.row), Math.max(a.row, b.row), Math.min(a.column, b.column), Math.max(a.column, b.column)];
  }

  /** Goes to a cell, within the borders; `extend` leaves the other end of the selection where it is. */
  #goTo(row, column, extend) {
    const within = (at, length) => Math.max(0, Math.min(at, length - 1));
    this.#at = { row: within(row, this.rows.length), column: within(column, this.#columns.length) };
    if (!extend) this.#anchor = this.#at;
    this.#reveal();
    this.#draw();
  }

  #reveal() {
    const { element } = this;
    const headPx = this.#head.offsetHeight;
    const top = this.#at.row * ROW_PX;
    const [left, right] = this.#edges.slice(this.#at.column, this.#at.column + 2);
    element.scrollTop = Math.max(Math.min(element.scrollTop, top), top + ROW_PX + headPx - element.clientHeight);
    element.scrollLeft = Math.min(left - NUMBER_PX, Math.max(element.scrollLeft, right - element.clientWidth));
  }

  #onKey(event) {
    const { key, shiftKey } = event;
    const isCommand = event.ctrlKey || event.metaKey;
    const { row, column } = this.#at;
    const page = Math.max(1, Math.floor(this.element.clientHeight / ROW_PX) - 2);
    const last = { row: this.rows.length - 1, column: this.#columns.length - 1 };
    const moves = {
      ArrowUp: [row - 1, column], ArrowDown: [row + 1, column], ArrowLeft: [row, column - 1], ArrowRight: [row, column + 1],
      PageUp: [row - page, column], PageDown: [row + page, column], Home: [isCommand ? 0 : row, 0], End: [isCommand ? last.row : row, last.column],
    };
    if (Object.hasOwn(moves, key)) this.#goTo(...moves[key], shiftKey);
    else if (key === 'Enter') this.#onOpen();
    else if (isCommand && key === 'c') this.#onCopy();
    else if (isCommand && key === 'a') this.#selectAll(last);
    else return;
    event.preventDefault();
  }

  #selectAll(last) {
    this.#anchor = { row: 0, column: 0 };
    this.#at = last;
    this.#draw();
  }

  /** A cell, or by its number a whole row. */
  #onMouse(event, extend = event.shiftKey) {
    const cell = event.target.closest('.grid-body span');
    if (!cell || event.button !== 0) return;
    const { row, column } = place(cell);
    const last = this.#columns.length - 1;
    // A row by its number is all of its cells, from the last to the first.
    this.#at = { row, column: Math.max(0, column) };
    if (!extend) this.#anchor = column < 0 ? { row, column: last } : this.#at;
    this.#draw();
    event.preventDefault();
    this.element.focus({ preventScroll: true });
  }
}

/** Where a cell stands; the number of a row stands in column -1. */
function place(cell) {
  return { row: Number(cell.parentElement.ariaRowIndex) - 2, column: Number(cell.ariaColIndex) - 2 };
}
