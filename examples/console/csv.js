// CSV in and out: reads a file chunk by chunk, checks it and guesses its types before anything is written, and writes rows as RFC 4180 has them.
// Called by transfer.js; never touches the page or the database.
import { whole } from './cells.js';
import { Papa } from './dist/libraries.js';

const CHUNK_BYTES = 1 << 20;
/** A row longer than this is a quote that was forgotten, rather than data. */
const ROW_CHARS_MAX = 32 << 20;
const ROWS_PER_PART = 1000;

export class CsvError extends Error {
  code = 'CSV';
  outcome = 'not-applied';
}

/** The header and the rows of a file, as arrays of texts, in batches: { rows, read }, `read` of the file's bytes. */
export async function* readCsv(file) {
  let config;
  let rest = '';
  for await (const { text, read } of textOf(file)) {
    rest += text;
    const isLast = read === file.size;
    config ??= dialect(rest);
    // A part ends with a line, so that no quote is judged without what follows it.
    const end = isLast ? rest.length : rest.lastIndexOf(config.newline) + config.newline.length;
    const { data, errors: [error], meta } = new Papa.Parser(config).parse(rest.slice(0, end), 0, !isLast);
    if (error) throw new CsvError(`A quoted cell has no end, or goes on after it: “${start(rest.slice(error.index))}”. Write a quote inside of a quoted cell twice.`);
    rest = isLast ? '' : rest.slice(meta.cursor);
    if (rest.length > ROW_CHARS_MAX) throw new CsvError(`A row is longer than ${ROW_CHARS_MAX >> 20} million characters: perhaps a quote that ends a cell is missing. It begins with “${start(rest)}”.`);
    yield { rows: data.filter(row => row.length > 1 || row[0] !== ''), read };
  }
}

const start = text => text.slice(0, 40).replace(/\s+/g, ' ').trim();

async function* textOf(file) {
  // It takes a byte order mark away, too.
  const decoder = new TextDecoder('utf-8', { fatal: true });
  for (let at = 0; at < file.size; at += CHUNK_BYTES) {
    const read = Math.min(at + CHUNK_BYTES, file.size);
    const bytes = await file.slice(at, read).arrayBuffer();
    try {
      yield { text: decoder.decode(bytes, { stream: read < file.size }), read };
    } catch (cause) {
      if (!(cause instanceof TypeError)) throw cause;
      throw new CsvError(`${file.name} is not UTF-8 text. Save it as “CSV UTF-8”, and import it again.`, { cause });
    }
  }
}

/** Comma, semicolon or tab, and how lines end, by the beginning of the file. */
function dialect(text) {
  const { meta: { delimiter, linebreak } } = Papa.parse(text.slice(0, CHUNK_BYTES), { preview: 20, delimitersToGuess: [',', ';', '\t', '|'] });
  return { delimiter, newline: linebreak };
}

/** Reads all of a file: { columns: [{ name, type }], rows }. What could not be imported is an error here, with its place. */
export async function surveyCsv(file, onRead) {
  if (file.size === 0) throw new CsvError(`${file.name} is empty. A CSV file has the names of its columns in the first line.`);
  let columns;
  let rows = 0;
  let line = 1;
  for await (const batch of readCsv(file)) {
    for (const row of batch.rows) {
      if (columns === undefined) columns = named(row);
      else {
        if (row.length !== columns.length) {
          throw new CsvError(`Row ${rows + 1}, near line ${line}, has ${row.length} cells; the first line has ${columns.length}. It begins with “${start(row.join(' '))}”. `
            + 'Mend the row, and import the file again.');
        }
        row.forEach((text, at) => columns[at].see(text));
        rows++;
      }
      line += row.reduce((lines, text) => lines + (text.includes('\n') ? text.split('\n').length - 1 : 0), 1);
    }
    onRead(batch.read / file.size);
  }
  if (columns === undefined) throw new CsvError(`${file.name} has no line that is not empty. A CSV file has the names of its columns in the first line.`);
  return { columns: columns.map(({ name, type }) => ({ name, type })), rows };
}

/** Each column gets a name of its own: SQLite tells no capitals from small letters. */
function named(header) {
  const taken = new Set();
  return header.map((text, at) => {
    const wanted = text.trim() || `column_${at + 1}`;
    let name = wanted;
    for (let n = 2; taken.has(name.toLowerCase()); n++) name = `${wanted}_${n}`;
    taken.add(name.toLowerCase());
    return new Column(name);
  });
}

/** The narrowest type that takes every text of a column without a loss of digits: 007 is no number. */
class Column {
  #isEmpty = true;
  #type = 'INTEGER';

  constructor(name) {
    this.name = name;
  }

  get type() {
    return this.#isEmpty ? 'TEXT' : this.#type;
  }

  see(text) {
    if (text === '' || this.#type === 'TEXT') return;
    this.#isEmpty = false;
    if (this.#type === 'INTEGER' && !isInteger(text)) this.#type = 'REAL';
    if (this.#type === 'REAL' && !isReal(text)) this.#type = 'TEXT';
  }
}

function isInteger(text) {
  return /^(0|-?[1-9]\d{0,18})$/.test(text) && BigInt.asIntN(64, BigInt(text)) === BigInt(text);
}

function isReal(text) {
  return /^-?(0|[1-9]\d*)(\.\d+)?(e[+-]?\d{1,3})?$/i.test(text) && text.replace(/e.*/i, '').replace(/\D/g, '').length <= 15 && Number.isFinite(Number(text));
}

/** The parts of a CSV file with a header, of rows (arrays) that can be iterated in any way. `onRows` hears how many there were so far. */
export async function* csvParts(columns, rows, onRows) {
  let waiting = [columns.map(({ name }) => name)];
  let done = 0;
  for await (const row of rows) {
    waiting.push(row.map(value => value === null ? null : whole(value)));
    onRows(++done);
    if (waiting.length < ROWS_PER_PART) continue;
    yield written(waiting);
    waiting = [];
  }
  if (waiting.length > 0) yield written(waiting);
}

/** An empty text has quotes, a NULL has none. */
function written(rows) {
  return `${Papa.unparse(rows, { newline: '\r\n', quotes: value => value === '' })}\r\n`;
}
