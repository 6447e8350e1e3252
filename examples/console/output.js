// The result's card: its sentence, its grid, more rows, a cell whole, copying. Called by main.js; takes rows from a cursor, and holds no more than its bounds.
import { $, count, el, format, guarded, milliseconds } from '../page.js';
import { describe, tsv, whole } from './cells.js';
import { GRID_ROWS_MAX, Grid } from './grid.js';

const PAGE = { rows: 1000, bytes: 4 << 20 };
/** The first page is small, since a slow query should not be waited for longer than needed; the grid measures it. */
const FIRST_ROWS = 50;
/** What is taken without asking, and each time that more is asked for. */
const STEP = { rows: 200_000, bytes: 64 << 20 };
const BYTES_MAX = 256 << 20;
/** Characters or bytes. */
const CELL_SHOWN = 100_000;
const COPY_CHARS_MAX = 50_000_000;

export class Output {
  #grid = null;
  #cursor = null;
  #bytes = 0;
  #spent = 0;
  #firstRow = '';

  constructor() {
    $('#copy').onclick = guarded(() => this.#copy());
    $('#cell').onclick = () => this.#openCell();
  }

  /** Puts a sentence where the results stand; an empty one clears the place. What was being read is let go. */
  async announce(text) {
    const cursor = this.#cursor;
    this.#grid = this.#cursor = null;
    $('#summary').textContent = text;
    $('#result').replaceChildren();
    $('#output').hidden = text === '';
    this.#showButtons();
    await cursor?.close();
  }

  /** The rows that are here, if it is rows that stand on the page. */
  get rows() {
    return this.#grid?.rows;
  }

  showElement(element, text) {
    $('#result').replaceChildren(element);
    $('#summary').textContent = text;
  }

  /** A result that is here whole. */
  showRows({ columns, rows }, text) {
    this.#makeGrid(columns);
    this.#grid.add(rows.slice(0, GRID_ROWS_MAX));
    $('#summary').textContent = rows.length > GRID_ROWS_MAX ? `${text} · the grid takes the first ${format(GRID_ROWS_MAX)}` : text;
    this.#showButtons();
  }

  /** The rows of a cursor, as they come: the first page is on the page before the second is asked for. */
  async stream(cursor, began, signal) {
    this.#cursor = cursor;
    this.#bytes = 0;
    this.#spent = performance.now() - began;
    await this.#take(signal, () => milliseconds(performance.now() - began));
  }

  /** The next step of a long result. */
  async more(signal) {
    await this.#take(signal, () => this.#firstRow);
  }

  async #take(signal, firstRow) {
    const began = performance.now() - this.#spent;
    const [rowsMax, bytesMax] = [Math.min((this.rows?.length ?? 0) + STEP.rows, GRID_ROWS_MAX), Math.min(this.#bytes + STEP.bytes, BYTES_MAX)];
    const cursor = this.#cursor;
    try {
      while (!this.#grid || !cursor.done && this.rows.length < rowsMax && this.#bytes < bytesMax) {
        const { rows, bytes } = await cursor.page(this.#grid ? Math.min(PAGE.rows, rowsMax - this.rows.length) : FIRST_ROWS, PAGE.bytes);
        if (this.#cursor !== cursor) return;
        if (!this.#grid) {
          this.#makeGrid(cursor.columns);
          this.#firstRow = firstRow();
        }
        this.#grid.add(rows);
        this.#bytes += bytes;
        this.#spent = performance.now() - began;
        this.#summarize('reading on…');
      }
      this.#summarize(cursor.done ? '' : this.#isFull ? 'no more fit into the grid: save all as CSV, or add a LIMIT' : 'there are more');
    } catch (error) {
      if (this.#cursor !== cursor) return;
      this.#cursor = null;
      if (this.#grid) this.#summarize(signal.aborted ? 'stopped' : 'the others could not be read');
      if (!signal.aborted || !this.#grid) throw error;
    } finally {
      this.#showButtons();
    }
  }

  get #isFull() {
    return this.rows.length >= GRID_ROWS_MAX || this.#bytes >= BYTES_MAX;
  }

  #summarize(rest) {
    const length = this.rows.length;
    const times = length === 0 ? milliseconds(this.#spent) : `first after ${this.#firstRow} · ${rest === '' ? 'all' : 'these'} in ${milliseconds(this.#spent)}`;
    $('#summary').textContent = [rest === '' ? count(length, 'row') : `the first ${format(length)} rows`, times, rest].filter(Boolean).join(' · ');
  }

  #makeGrid(columns) {
    this.#grid = new Grid(columns, { onOpen: () => this.#openCell(), onCopy: guarded(() => this.#copy()) });
    $('#result').replaceChildren(this.#grid.element);
  }

  #showButtons() {
    const hasRows = this.rows?.length > 0;
    $('#more').hidden = !hasRows || !this.#cursor || this.#cursor.done || this.#isFull;
    $('#copy').hidden = $('#cell').hidden = !hasRows;
    $('#save-csv').hidden = !this.#grid;
  }

  /** The selection, or everything here; with the names of the columns unless it is one cell. */
  async #copy() {
    const { columns, rows } = this.#grid.selection;
    const text = tsv(rows.length * columns.length > 1 ? [columns.map(({ name }) => name), ...rows] : rows);
    if (text.length > COPY_CHARS_MAX) throw Object.assign(new Error(`${format(text.length)} characters are too many for the clipboard. Select fewer rows, or save them as CSV.`), { name: 'Too much' });
    await navigator.clipboard.writeText(text);
    $('#copied').textContent = `${count(rows.length, 'row')} copied.`;
  }

  #openCell() {
    const { row, column, value } = this.#grid.cell;
    const shown = typeof value === 'string' ? value.slice(0, CELL_SHOWN) : value instanceof Uint8Array ? value.subarray(0, CELL_SHOWN) : value;
    $('#cell-title').textContent = `${column.name}, row ${format(row + 1)}`;
    $('#cell-facts').textContent = describe(value) + (value?.length > CELL_SHOWN ? `, of which this is the beginning; all of it is in the file of Save as CSV` : '');
    $('#cell-value').replaceChildren(el('code', {}, shown === null ? 'NULL' : whole(shown)));
    $('#cell-dialog').showModal();
  }
}
