// Files in and out: SQLite files and CSV, chosen or dropped onto the page, each with its progress and a way to stop it. Called by main.js.
import { $, clearError, count, el, format, guarded, milliseconds } from '../page.js';
import { CsvError, csvParts, readCsv, surveyCsv } from './csv.js';
import { quote } from './statements.js';

const MAGIC = 'SQLite format 3\0';
const ROWS_PER_BATCH = 5000;
const CHARS_PER_BATCH = 1 << 20;
const PARTS_PER_BLOB = 32;

class FileError extends Error {
  name = 'File';
  outcome = 'not-applied';
}

/** Does one piece of work on the whole database at a time, with a bar for its progress. */
export class Workshop {
  #announce;
  #after;
  #controller = null;

  /** `announce(sentence)` shows what has become of it; `after()` comes at the end, whatever happened. */
  constructor({ announce, after }) {
    this.#announce = announce;
    this.#after = after;
    $('#cancel').onclick = () => this.#controller?.abort();
  }

  /** `work(onProgress, signal)` answers a sentence, or nothing. */
  async run(work, announce = this.#announce) {
    if (this.#controller) throw new FileError('Something else is under way. Wait for its end, or cancel it.');
    const controller = this.#controller = new AbortController();
    const buttons = document.querySelectorAll('[data-work]');
    clearError();
    buttons.forEach(button => { button.disabled = true; });
    $('#work').hidden = false;
    try {
      const sentence = await work(onProgress, controller.signal);
      if (sentence) await announce(sentence);
    } catch (error) {
      // A call that was stopped too late may have been carried out.
      if (!controller.signal.aborted || error.outcome === 'applied' || error.outcome === 'unknown') throw error;
      await announce('Cancelled: nothing was changed.');
    } finally {
      this.#controller = null;
      buttons.forEach(button => { button.disabled = false; });
      $('#work').hidden = true;
      await this.#after();
    }
  }
}

function onProgress(text, fraction) {
  $('#work-text').textContent = `${text}…`;
  // Without a value it moves to and fro.
  if (fraction === undefined) $('#work-progress').removeAttribute('value');
  else $('#work-progress').value = fraction;
}

/** Asks in a dialog; whether the answer was yes. */
async function ask(dialog) {
  dialog.returnValue = 'no';
  dialog.showModal();
  await new Promise(resolve => { dialog.onclose = resolve; });
  return dialog.returnValue === 'yes';
}

/** A SQLite file replaces the database, a CSV file becomes a table: told apart by what is in them. */
export async function takeFile(db, file, workshop) {
  if (file.size === 0) throw new FileError(`${file.name} is empty.`);
  const head = new TextDecoder('latin1').decode(await file.slice(0, MAGIC.length).arrayBuffer());
  if (head === MAGIC) return importFile(db, file, workshop);
  if (/\.(csv|tsv|tab|txt)$/i.test(file.name)) return importCsv(db, file, workshop);
  throw new FileError(`${file.name} is not a SQLite file: it does not begin as one. CSV files are known by their names, which end with .csv, .tsv or .txt.`);
}

async function importFile(db, file, workshop) {
  $('#confirm-text').textContent = `Replace the whole database, in every tab, by ${file.name} (${format(file.size)} bytes)?`;
  if (!await ask($('#confirm'))) return;
  await workshop.run(async (onProgress, signal) => {
    await db.import(file, { signal, onProgress: (done, total) => onProgress(`importing ${file.name}`, done / total) });
    return `${file.name} imported.`;
  });
}

async function importCsv(db, file, workshop) {
  const began = performance.now();
  let survey;
  await workshop.run(async (onProgress, signal) => {
    survey = await surveyCsv(file, fraction => {
      signal.throwIfAborted();
      onProgress(`reading ${file.name}`, fraction);
    });
  });
  if (!survey) return;
  const read = performance.now() - began;
  $('#csv-text').textContent = `${file.name}: ${count(survey.rows, 'row')}, ${count(survey.columns.length, 'column')}. Empty cells become NULL.`;
  $('#csv-columns').replaceChildren(...survey.columns.map(({ name, type }) => el('li', {}, name, ' ', el('span', { className: 'muted' }, type.toLowerCase()))));
  $('#csv-name').value = file.name.replace(/\.[^.]*$/, '').replace(/\W+/g, '_') || 'data';
  if (!await ask($('#csv-dialog'))) return;
  const name = $('#csv-name').value.trim();
  await workshop.run(async (onProgress, signal) => {
    const writing = performance.now();
    await insertCsv(db, file, { name, ...survey }, onProgress, signal);
    return `${count(survey.rows, 'row')} of ${file.name} are now the table ${name} · read in ${milliseconds(read)}, written in ${milliseconds(performance.now() - writing)}`;
  });
}

/** Makes the table and writes the rows, in one transaction: all or nothing. The types of the columns make numbers of the texts. */
async function insertCsv(db, file, { name, columns, rows: total }, onProgress, signal) {
  const insert = `INSERT INTO ${quote(name)} VALUES (${columns.map(() => '?').join(', ')})`;
  const isThere = await db.get('SELECT 1 FROM sqlite_schema WHERE lower(name) = lower(?)', [name], { signal });
  if (isThere) throw new CsvError(`There is a ${name} in the database already. Import the file again, and give the table another name.`);
  await db.transaction(async tx => {
    await tx.exec(`CREATE TABLE ${quote(name)} (${columns.map(column => `${quote(column.name)} ${column.type}`).join(', ')})`);
    let isHeader = true;
    let done = 0;
    for await (const { rows } of readCsv(file)) {
      for (const batch of batches(isHeader ? rows.slice(1) : rows)) {
        if (batch.some(row => row.length !== columns.length)) throw new CsvError(`${file.name} was changed while it was read. Import it again.`);
        await tx.batch(batch.map(row => [insert, row.map(text => text === '' ? null : text)]));
        onProgress(`writing ${name}`, (done += batch.length) / total);
      }
      isHeader &&= rows.length === 0;
    }
  }, { signal });
}

/** Rows in groups that are neither many nor large. */
function* batches(rows) {
  let batch = [];
  let chars = 0;
  for (const row of rows) {
    batch.push(row);
    chars += row.reduce((sum, text) => sum + text.length, 0);
    if (batch.length < ROWS_PER_BATCH && chars < CHARS_PER_BATCH) continue;
    yield batch;
    [batch, chars] = [[], 0];
  }
  if (batch.length > 0) yield batch;
}

export function exportFile(db, workshop) {
  return workshop.run(async (onProgress, signal) => {
    onProgress('exporting', 0);
    const stream = db.exportStream({ signal, onProgress: (done, total) => onProgress('exporting', done / total) });
    return `${format(await save(partsOf(stream), 'console.sqlite', 'application/vnd.sqlite3'))} bytes exported.`;
  });
}

/** `rows(signal)` gives all rows, also those that are not on the page. */
export function exportCsv({ columns, rows }, workshop, announce) {
  return workshop.run(async (onProgress, signal) => {
    const began = performance.now();
    let written = 0;
    const parts = csvParts(columns, rows(signal), done => {
      written = done;
      if (done % 1000 === 1) onProgress(`${count(done, 'row')} written`);
    });
    const bytes = await save(parts, 'result.csv', 'text/csv');
    return `${count(written, 'row')}, ${format(bytes)} bytes saved as result.csv · ${milliseconds(performance.now() - began)}`;
  }, announce);
}

/** A stream, where it cannot be iterated itself: in WebKit. */
async function* partsOf(stream) {
  const reader = stream.getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) yield part.value;
}

/** Downloads what is given part by part. The browser may put on its disk what is in a Blob already. Returns its length. */
async function save(parts, download, type) {
  let blob = new Blob([], { type });
  let waiting = [];
  for await (const part of parts) {
    if (waiting.push(part) < PARTS_PER_BLOB) continue;
    blob = new Blob([blob, ...waiting], { type });
    waiting = [];
  }
  blob = new Blob([blob, ...waiting], { type });
  const href = URL.createObjectURL(blob);
  el('a', { href, download }).click();
  URL.revokeObjectURL(href);
  return blob.size;
}

/** Files dropped anywhere on the page, with a hint while they are above it. Capturing: the editor would take their text. */
export function takeDrops(onFile) {
  const show = isOver => { $('#drop').hidden = !isOver; };
  const on = (type, handler) => addEventListener(type, event => {
    if (!event.dataTransfer?.types.includes('Files')) return;
    event.preventDefault();
    event.stopPropagation();
    handler(event);
  }, true);
  on('dragover', () => show(true));
  on('dragleave', event => show(event.relatedTarget !== null));
  on('drop', guarded(({ dataTransfer: { files } }) => {
    show(false);
    if (document.querySelector('dialog[open]')) throw new FileError('Answer the question on the page first, then drop the file again.');
    if (files.length !== 1) throw new FileError('Drop one file at a time.');
    return onFile(files[0]);
  }));
}
