// A SQL console: connects the page with the database. The SQL of the console itself is in catalog.js and dataset.js.
import { open } from '/dist/tabhub.js';
import { $, clearError, count, el, guarded, milliseconds, showError, statusLine } from '../page.js';
import { functions, history, remember } from './catalog.js';
import { loadSamples } from './dataset.js';
import { Editor } from './editor.js';
import { Output } from './output.js';
import { planTree } from './plan.js';
import { bytecode, execute, explain, placeOf, rowsOf } from './runner.js';
import { ACTIONS, SAMPLES } from './samples.js';
import { SchemaTree } from './schema.js';
import { excerpt, indexOfByte, quote } from './statements.js';
import { Workshop, exportCsv, exportFile, takeDrops, takeFile } from './transfer.js';

const db = await open('console.db').catch(error => {
  showError(error);
  throw error;
});
const updateStatus = statusLine(db, $('#status'));
const output = new Output();
const editor = new Editor($('#editor'), { text: SAMPLES[0][1], functions: await functions(db), onRun: guarded(() => run(runSql)) });
const tree = new SchemaTree(db, {
  insert: name => editor.insert(name),
  show: name => runText(`SELECT * FROM ${quote(name)};`),
  define: edit,
  changed: tables => editor.setSchema(tables),
});
const workshop = new Workshop({
  announce: text => {
    controller.abort();
    return output.announce(text);
  },
  after: () => Promise.all([tree.refresh(), showHistory(), updateStatus()]),
});

// ── Running what stands in the editor

let isBusy = false;
let controller = new AbortController(); // of the result on the page, as long as there is more of it
let result = null; // { columns, rows(signal) } of it, for a file

async function run(work) {
  const { sql, start } = editor.chosen();
  if (isBusy || sql.trim() === '') return;
  clearError();
  editor.mark();
  controller = new AbortController();
  let began;
  let error = null;
  await busily(async () => {
    await output.announce('running…');
    began = performance.now();
    try {
      await work(sql, controller.signal, began);
    } catch (caught) {
      error = caught;
      await showSqlError(caught, sql, start);
    }
  });
  await remember(db, { sql: sql.trim(), ms: performance.now() - began, error: error && (error.code ?? error.name) });
  await Promise.all([showHistory(), updateStatus()]);
}

/** One thing at a time; *Stop* ends it. */
async function busily(work) {
  const buttons = [$('#run'), $('#plan'), $('#bytecode'), $('#more')];
  const setBusy = busy => {
    isBusy = busy;
    for (const button of buttons) button.disabled = busy;
    $('#stop').hidden = !busy;
  };
  setBusy(true);
  try {
    await work();
  } finally {
    setBusy(false);
  }
}

async function runSql(sql, signal, began) {
  $('#copied').textContent = '';
  const { cursor, result: whole, script } = await execute(db, sql, signal);
  if (cursor) {
    result = { columns: cursor.columns, rows: signal => rowsOf(db, sql, signal) };
    return output.stream(cursor, began, signal);
  }
  const { changes, lastInsertRowid } = whole ?? script;
  const what = script ? 'The script ran' : whole.columns.length ? count(whole.rows.length, 'row') : 'Done';
  const changed = changes > 0 ? ` · ${count(changes, 'row')} changed, last rowid ${lastInsertRowid}` : '';
  const told = `${what}${changed} · ${milliseconds(performance.now() - began)}`;
  if (!whole?.columns.length) return output.announce(told);
  result = { columns: whole.columns, rows: () => whole.rows };
  output.showRows(whole, told);
}

async function runPlan(sql, signal, began) {
  const plan = await explain(db, sql, signal);
  output.showElement(planTree(plan), `Query plan · ${milliseconds(performance.now() - began)}`);
}

async function runBytecode(sql, signal, began) {
  const program = await bytecode(db, sql, signal);
  result = { columns: program.columns, rows: () => program.rows };
  output.showRows(program, `${count(program.rows.length, 'instruction')} · ${milliseconds(performance.now() - began)}`);
}

/** An error with the line it is in, and the offending place marked, here and in the editor. */
async function showSqlError(error, sql, start) {
  if (error.code === 'HUB_CANCELLED' && controller.signal.aborted) return output.announce('Stopped.');
  // What had come before the error stays.
  if (!output.rows?.length) await output.announce('');
  const byte = placeOf(error, sql);
  if (byte === undefined) return showError(error);
  const index = indexOfByte(sql, byte);
  const { before, token, after } = excerpt(sql, index);
  const from = start + index;
  editor.mark(from, Math.min(from + token.length, start + sql.length), error.message);
  const action = el('button', { type: 'button', className: 'small', onclick: () => editor.goTo(from) }, `Go to line ${editor.lineOf(from)}`);
  showError(error, { detail: el('pre', {}, before, el('mark', {}, token), after), action });
}

// ── Beside the editor

async function showHistory() {
  const entries = await history(db);
  $('#history').replaceChildren(...entries.map(({ sql, error }) => el('li', {},
    el('button', { type: 'button', className: 'sql', title: error ? `${error}\n${sql}` : sql, onclick: () => edit(sql) }, `${error ? '✗ ' : ''}${sql.replace(/\s+/g, ' ').slice(0, 120)}`))));
  if (entries.length === 0) $('#history').append(el('li', { className: 'muted small' }, 'What you run is kept here, in the database itself.'));
}

function edit(sql) {
  editor.text = sql;
  editor.focus();
}

function runText(sql) {
  edit(sql);
  return guarded(() => run(runSql))();
}

function entry(name, onclick) {
  return el('li', {}, el('button', { type: 'button', onclick }, name));
}

// ── Work on the whole database

async function load(onProgress, signal) {
  const began = performance.now();
  const rows = await loadSamples(db, onProgress, signal);
  $('#load').classList.remove('primary');
  return `${count(rows, 'row')} loaded in one transaction · ${milliseconds(performance.now() - began)}`;
}

/** More than SQLite's own check: every checksum of what is stored, and the order of its records. */
async function check(onProgress, signal) {
  const began = performance.now();
  const { ok, problems } = await db.check({ level: 'full', signal, onProgress: ({ stage, done, total }) => onProgress(`checking ${stage}`, done / total) });
  if (!ok) throw Object.assign(new Error(problems.join('\n')), { code: 'HUB_CORRUPT' });
  return `Everything stored is sound · ${milliseconds(performance.now() - began)}`;
}

const take = file => takeFile(db, file, workshop);

// ── Wiring

$('#run').onclick = guarded(() => run(runSql));
$('#plan').onclick = guarded(() => run(runPlan));
$('#bytecode').onclick = guarded(() => run(runBytecode));
$('#stop').onclick = () => controller.abort();
$('#more').onclick = guarded(() => busily(() => output.more(controller.signal)));
$('#save-csv').onclick = guarded(() => exportCsv(result, workshop, text => { $('#copied').textContent = text; }));
$('#load').onclick = guarded(() => workshop.run(load));
$('#export').onclick = guarded(() => exportFile(db, workshop));
$('#import').onclick = () => $('#file').click();
$('#file').onchange = guarded(async () => {
  const [file] = $('#file').files;
  $('#file').value = ''; // so that choosing the same file again is a change again
  if (file) await take(file);
});
takeDrops(take);
db.onChange({ tables: ['console_history'] }, ({ origin }) => { if (origin === 'another') showHistory().catch(showError); });
$('#samples').append(...SAMPLES.map(([name, sql]) => entry(name, () => runText(sql))));
$('#actions').append(...ACTIONS.map(({ name, sql, isTemplate }) => entry(name, () => isTemplate ? edit(sql) : runText(sql))),
  entry('Check everything stored', guarded(() => workshop.run(check))));
await guarded(async () => {
  await Promise.all([tree.refresh(), showHistory()]);
  if (tree.tables.length === 0) {
    $('#load').classList.add('primary');
    await output.announce('The database is empty: load the sample data, or drop a SQLite or CSV file onto the page.');
  }
})();
