// Values as text: short for a cell of the grid, whole for the one that is looked at, and in columns for the clipboard. Pure functions, called by grid.js
// and output.js.
const BLOB_BYTES_SHOWN = 24;
const TEXT_SHOWN = 200;
const integer = new Intl.NumberFormat('en');

export const isNumber = value => typeof value === 'number' || typeof value === 'bigint';

/** { text, kind }: NULL and blobs must not be taken for text that looks the same. */
export function short(value) {
  if (value === null) return { text: 'NULL', kind: 'null' };
  if (value instanceof Uint8Array) {
    const rest = value.length > BLOB_BYTES_SHOWN ? `… (${integer.format(value.length)} bytes)` : '';
    return { text: `x'${hex(value.subarray(0, BLOB_BYTES_SHOWN))}'${rest}`, kind: 'blob' };
  }
  if (isNumber(value)) return { text: String(value), kind: 'numeric' };
  const start = value.slice(0, TEXT_SHOWN).replace(/\r\n?|\n/g, ' ↵ ');
  return { text: value.length > TEXT_SHOWN ? `${start}…` : start, kind: 'text' };
}

/** As it goes into files and the clipboard: nothing for NULL, hexadecimal for blobs. */
export function whole(value) {
  if (value === null) return '';
  return value instanceof Uint8Array ? `x'${hex(value)}'` : String(value);
}

/** What a value is, and how large. */
export function describe(value) {
  if (value === null) return 'NULL';
  if (value instanceof Uint8Array) return `BLOB, ${integer.format(value.length)} bytes`;
  if (typeof value === 'string') return `TEXT, ${integer.format(value.length)} characters`;
  return Number.isInteger(value) || typeof value === 'bigint' ? 'INTEGER' : 'REAL';
}

/** A spreadsheet takes a cell with a tab, a line end or a quote in it in quotes, as in CSV. */
export function tsv(rows) {
  const field = text => /[\t\r\n"]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  return rows.map(row => row.map(value => field(whole(value))).join('\t')).join('\n');
}

/** About how much memory a row takes. */
export function sizeOf(row) {
  return row.reduce((bytes, value) => bytes + (typeof value === 'string' ? value.length * 2 : value instanceof Uint8Array ? value.length : 8), 32);
}

function hex(bytes) {
  return bytes.toHex?.() ?? Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('');
}
