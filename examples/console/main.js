// A SQL console: connects the page with the database. The SQL of the console itself is in catalog.js and dataset.js.
import { open } from '/dist/tabhub.js';
import { $, clearError, count, el, format, guarded, milliseconds, showError, statusLine } from '../page.js';
import { history, quote, remember, tables } from './catalog.js';
import { loadSamples } from './dataset.js';
import { Grid, planTree } from './grid.js';
import { execute, explain, placeOf } from './runner.js';
import { SAMPLES } from './samples.js';
import { excerpt, indexOfByte } from './statements.js';

const PAGE = 200;
const editor = $('#sql');

const db = await open('console.db').catch(error => {
  showError(error);
  throw error;
});
const updateStatus = statusLine(db, $('#status'));

// ── Running what stands in the editor

let running = null; // { controller, cursor?, grid?, shown } of the result on the page

/** The selection if there is one, else everything; `start` is its place in the editor, for the places of errors. */
function chosenText() {
  const { selectionStart: start, selectionEnd: end, value } = editor;
  return start === end ? { sql: value, start: 0 } : { sql: value.slice(start, end), start };
}

async function run(work) {
  const { sql, start } = chosenText();
  if (sql.trim() === '') return;
  await running?.cursor?.close();
  running = { controller: new AbortController(), shown: 0 };
  clearError();
  setBusy(true);
  const began = performance.now();
  let error = null;
  try {
    await work(sql, running.controller.signal, () => milliseconds(performance.now() - began));
  } catch (caught) {
    error = caught;
    showSqlError(caught, sql, start);
  } finally {
    setBusy(false);
  }
  await remember(db, { sql: sql.trim(), ms: performance.now() - began, error: error && (error.code ?? error.name) });
  await Promise.all([showHistory(), updateStatus()]);
}

function setBusy(busy) {
  $('#run').disabled = $('#plan').disabled = busy;
  $('#stop').hidden = !busy;
  if (!busy) return;
  $('#output').hidden = false;
  $('#more').hidden = true;
  $('#summary').textContent = 'running…';
  $('#result').replaceChildren();
}

async function runSql(sql, signal, elapsed) {
  const { cursor, result, script } = await execute(db, sql, signal);
  if (cursor) {
    running.cursor = cursor;
    await nextPage(elapsed);
    return;
  }
  if (result?.columns.length) {
    const grid = new Grid(result.columns);
    grid.add(result.rows);
    $('#result').replaceChildren(grid.element);
  }
  const { changes, lastInsertRowid } = result ?? script;
  const what = script ? 'The script ran' : result.columns.length ? count(result.rows.length, 'row') : 'Done';
  const changed = changes > 0 ? ` · ${count(changes, 'row')} changed, last rowid ${lastInsertRowid}` : '';
  $('#summary').textContent = `${what}${changed} · ${elapsed()}`;
  await showTables();
}

/** Takes one more page from the cursor; `elapsed` is given for the first one. */
async function nextPage(elapsed) {
  const { cursor } = running;
  const rows = await cursor.page(PAGE);
  running.grid ??= new Grid(cursor.columns);
  running.grid.add(rows);
  running.shown += rows.length;
  if (elapsed) {
    $('#result').replaceChildren(running.grid.element);
    running.time = elapsed();
  }
  $('#more').hidden = cursor.done;
  $('#summary').textContent = cursor.done
    ? `${count(running.shown, 'row')} · ${running.time}${elapsed ? '' : ' for the first page'}`
    : `the first ${format(running.shown)} rows · ${running.time}${elapsed ? '' : ' for the first page'}`;
}

async function runPlan(sql, signal, elapsed) {
  const plan = await explain(db, sql, signal);
  $('#summary').textContent = `Query plan · ${elapsed()}`;
  $('#result').replaceChildren(planTree(plan));
}

/** An error with the line it is in, and the offending place marked. */
function showSqlError(error, sql, start) {
  $('#summary').textContent = '';
  $('#output').hidden = true;
  const byte = placeOf(error, sql);
  if (byte === undefined) return showError(error);
  const index = indexOfByte(sql, byte);
  const { before, token, after } = excerpt(sql, index);
  const action = el('button', { type: 'button', className: 'small', onclick: () => goTo(start + index) }, `Go to line ${lineInEditor(start + index)}`);
  showError(error, { detail: el('pre', {}, before, el('mark', {}, token), after), action });
}

const lineInEditor = index => editor.value.slice(0, index).split('\n').length;

function goTo(index) {
  editor.focus();
  editor.setSelectionRange(index, index);
}

// ── Beside the editor

async function showTables() {
  const list = await tables(db);
  const open = new Set([...$('#tables').querySelectorAll('details[open]')].map(({ dataset }) => dataset.name));
  $('#tables').replaceChildren(...list.map(table => tableEntry(table, open.has(table.name))));
  if (list.length === 0) $('#tables').append(el('p', { className: 'muted small' }, 'No tables yet. Load the sample data, or import a SQLite file.'));
  return list;
}

function tableEntry({ name, kind, rows, columns }, open) {
  const facts = columns.flatMap(column => [el('dt', {}, column.name), el('dd', {}, [column.type.toLowerCase(), column.pk ? 'key' : ''].filter(Boolean).join(' · '))]);
  const summary = el('summary', { title: kind }, name, el('span', { className: 'count number' }, format(rows)));
  const show = el('button', { type: 'button', onclick: () => runText(`SELECT * FROM ${quote(name)};`) }, 'Show rows');
  const details = el('details', { open }, summary, el('dl', {}, ...facts), show);
  details.dataset.name = name;
  return details;
}

async function showHistory() {
  const entries = await history(db);
  $('#history').replaceChildren(...entries.map(({ sql, error }) => el('li', {},
    el('button', { type: 'button', className: 'sql', title: error ? `${error}\n${sql}` : sql, onclick: () => edit(sql) }, `${error ? '✗ ' : ''}${sql.replace(/\s+/g, ' ').slice(0, 120)}`))));
  if (entries.length === 0) $('#history').append(el('li', { className: 'muted small' }, 'What you run is kept here, in the database itself.'));
}

function edit(sql) {
  editor.value = sql;
  editor.focus();
  editor.setSelectionRange(0, 0);
  editor.scrollTop = 0;
}

function runText(sql) {
  edit(sql);
  return guarded(() => run(runSql))();
}

// ── Whole-database work: sample data, export, import

/** Shows the progress of `work(onProgress)`, then the sentence it answers; keeps the buttons still meanwhile. */
async function withProgress(work) {
  const buttons = [$('#load'), $('#export'), $('#import')];
  const onProgress = (text, fraction) => {
    $('#work-text').textContent = `${text}…`;
    $('#work-progress').value = fraction;
  };
  clearError();
  buttons.forEach(button => { button.disabled = true; });
  $('#work').hidden = false;
  announce('');
  try {
    announce(await work(onProgress));
  } finally {
    buttons.forEach(button => { button.disabled = false; });
    $('#work').hidden = true;
    await Promise.all([showTables(), showHistory(), updateStatus()]);
  }
}

/** Puts a sentence where the results stand; an empty one clears the place. */
function announce(text) {
  $('#summary').textContent = text;
  $('#result').replaceChildren();
  $('#more').hidden = true;
  $('#output').hidden = text === '';
}

async function load(onProgress) {
  const began = performance.now();
  const rows = await loadSamples(db, onProgress);
  $('#load').classList.remove('primary');
  return `${count(rows, 'row')} loaded in one transaction · ${milliseconds(performance.now() - began)}`;
}

async function exportFile(onProgress) {
  onProgress('exporting', 0);
  const bytes = await db.export({ onProgress: (done, total) => onProgress('exporting', done / total) });
  const url = URL.createObjectURL(new Blob([bytes], { type: 'application/vnd.sqlite3' }));
  el('a', { href: url, download: 'console.sqlite' }).click();
  URL.revokeObjectURL(url);
  return `${format(bytes.length)} bytes exported.`;
}

async function importFile(file) {
  $('#confirm-text').textContent = `Replace the whole database, in every tab, by ${file.name} (${format(file.size)} bytes)?`;
  $('#confirm').returnValue = 'no';
  $('#confirm').showModal();
  await new Promise(resolve => { $('#confirm').onclose = resolve; });
  if ($('#confirm').returnValue !== 'yes') return;
  await withProgress(async onProgress => {
    await db.import(file, { onProgress: (done, total) => onProgress('importing', done / total) });
    return `${file.name} imported.`;
  });
}

// ── Wiring

$('#run').onclick = guarded(() => run(runSql));
$('#plan').onclick = guarded(() => run(runPlan));
$('#stop').onclick = () => running.controller.abort();
$('#more').onclick = guarded(() => nextPage());
$('#load').onclick = guarded(() => withProgress(load));
$('#export').onclick = guarded(() => withProgress(exportFile));
$('#import').onclick = () => $('#file').click();
$('#file').onchange = guarded(async () => {
  const [file] = $('#file').files;
  $('#file').value = ''; // so that choosing the same file again is a change again
  if (file) await importFile(file);
});
editor.onkeydown = event => {
  if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    guarded(() => $('#run').disabled || run(runSql))();
  }
};
$('#samples').append(...SAMPLES.map(([name, sql]) => el('li', {}, el('button', { type: 'button', onclick: () => runText(sql) }, name))));
editor.value = SAMPLES[0][1];
await guarded(async () => {
  const [list] = await Promise.all([showTables(), showHistory()]);
  if (list.length === 0) {
    $('#load').classList.add('primary');
    announce('The database is empty: load the sample data, or import a SQLite file.');
  }
})();
