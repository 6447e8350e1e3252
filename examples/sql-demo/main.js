// The SQL tour as a page: runs all sections on a fresh database and shows each statement with its rows. `run.mjs` opens this page in a headless
// browser and prints what `globalThis.finished` resolves with.
import { deleteDatabase, open } from '/dist/tabhub.js';
import { Grid } from '../console/grid.js';
import { $, count, el, guarded, milliseconds, showError, statusLine } from '../page.js';
import { SECTIONS } from './sections.js';
import { tour } from './tour.js';

const DATABASE = 'sql-demo.db';

let db;

async function run() {
  $('#run').disabled = true;
  $('#sections').replaceChildren();
  await db?.close();
  // The tour begins with nothing, whatever the last one has left.
  await deleteDatabase(DATABASE);
  db = await open(DATABASE);
  const updateStatus = statusLine(db, $('#status'));
  const told = [];
  for await (const section of tour(db, SECTIONS)) {
    told.push(section);
    $('#sections').append(card(section));
    $('#summary').textContent = `${told.length} of ${SECTIONS.length} sections`;
  }
  const wrong = told.flatMap(({ results }) => results).filter(({ isRight }) => !isRight).length;
  $('#summary').textContent = wrong === 0 ? `${told.length} sections, every statement as it must be` : `${wrong} statements are not as they must be`;
  $('#run').disabled = false;
  updateStatus();
  return told;
}

function card({ title, text, results, ms }) {
  return el('section', { className: 'card' },
    el('div', { className: 'row spread' }, el('h2', {}, title), el('span', { className: 'small muted number' }, milliseconds(ms))),
    el('p', { className: 'small muted' }, text),
    ...results.map(shown));
}

function shown({ sql, params, rows, columns, changes, error, outcome, isRight }) {
  const parts = [el('pre', { className: 'code-sample', tabIndex: 0 }, el('code', {}, params ? `${sql}\n-- with ${JSON.stringify(params)}` : sql))];
  if (columns.length > 0) {
    const grid = new Grid(columns);
    grid.add(rows.map(row => columns.map(({ name }) => row[name])));
    parts.push(grid.element);
  } else {
    const what = error ? `${error.code}: ${error.message}` : outcome ?? `${count(changes, 'row')} changed`;
    parts.push(el('p', { className: 'small number' }, what));
  }
  if (!isRight) parts.push(el('p', { className: 'disagrees' }, '✗ this is not what must come of it'));
  return el('div', { className: 'step' }, ...parts);
}

$('#run').onclick = guarded(run);
globalThis.finished = run().catch(error => {
  showError(error);
  throw error;
});
