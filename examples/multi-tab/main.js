// A task list shared by all tabs: connects the page (index.html, list.js) with the data (tasks.js).
import { $, clearError, count, format, guarded, milliseconds, showError, statusLine } from '../page.js';
import { TaskList, mark } from './list.js';
import { showPresence } from './presence.js';
import { Tasks } from './tasks.js';

const PAGE = 100;
const view = { filter: 'all', limit: PAGE };

const mode = new URLSearchParams(location.search).get('mode') ?? 'auto';
const tasks = await Tasks.open(Number(sessionStorage.getItem('tab')), mode).catch(error => {
  showError(error);
  throw error;
});
sessionStorage.setItem('tab', String(tasks.tab));
mark($('#me'), tasks.tab);
const updateStatus = statusLine(tasks.db, $('#status'));
showPresence(tasks.db);

const list = new TaskList($('#tasks'), {
  rename: (id, title) => write(() => mustExist(tasks.rename(id, title))),
  tick: (id, done) => write(() => mustExist(tasks.tick(id, done))),
  remove: id => write(() => tasks.remove(id)),
});

// Whatever any tab has changed, this one too, is read again.
tasks.db.onChange({}, guarded(refresh));
/** All tabs are to count at the same time. */
const races = new BroadcastChannel('tasks.db');
races.onmessage = guarded(({ data }) => race(data));

async function write(action) {
  clearError();
  await action().catch(showError);
}

let reading = null;
let again = false;

/** Reads and renders. Calls that come while a reading is under way share one more reading after it. */
async function refresh() {
  again = true;
  reading ??= (async () => {
    while (again) {
      again = false;
      render(await tasks.snapshot(view.filter, view.limit));
    }
  })().finally(() => { reading = null; });
  await reading;
  updateStatus();
}

function render({ tasks: rows, totals, counter }) {
  list.render(rows, tasks.tab);
  for (const button of $('#filters').children) {
    const { filter } = button.dataset;
    button.setAttribute('aria-pressed', String(filter === view.filter));
    button.textContent = `${filter[0].toUpperCase()}${filter.slice(1)} ${format(totals[filter])}`;
  }
  const total = totals[view.filter];
  $('#empty').hidden = total > 0;
  $('#shown').textContent = rows.length < total ? `The newest ${format(rows.length)} of ${format(total)}` : '';
  $('#more').hidden = rows.length >= total;
  $('#clear').disabled = totals.done === 0;
  renderCounter(counter);
}

function renderCounter({ value, steps, tabs }) {
  const agrees = value === steps;
  $('#counter').textContent = format(value);
  $('#check').className = `small number ${agrees ? 'agrees' : 'disagrees'}`;
  $('#check').textContent = agrees
    ? `✓ equals the steps of ${count(tabs, 'tab')} added up`
    : `✗ the tabs made ${format(steps)} steps: ${format(steps - value)} lost`;
}

async function mustExist(change) {
  if (!await change) throw new Error('This task is gone: another tab has deleted it.');
}

async function burst() {
  $('#burst').disabled = true;
  $('#rate').textContent = 'writing…';
  try {
    const { n, seconds, groups } = await tasks.addMany(500);
    $('#rate').textContent = `${format(Math.round(n / seconds))} writes a second: ${n} in ${milliseconds(seconds * 1000)}, stored as ${count(groups, 'IndexedDB transaction')}`;
  } finally {
    $('#burst').disabled = false;
  }
}

/** Counts one by one, as fast as the answers come; all tabs do so at the same time. */
async function race(steps) {
  $('#race').disabled = true;
  try {
    for (let i = 0; i < steps; i++) await tasks.step();
  } finally {
    $('#race').disabled = false;
  }
}

$('#add').onsubmit = event => {
  event.preventDefault();
  const title = $('#title').value.trim();
  write(() => tasks.add(title));
  event.target.reset();
};
$('#filters').onclick = guarded(({ target }) => {
  Object.assign(view, { filter: target.dataset.filter ?? view.filter, limit: PAGE });
  return refresh();
});
$('#more').onclick = guarded(() => { view.limit += 5 * PAGE; return refresh(); });
$('#clear').onclick = () => write(() => tasks.removeDone());
$('#burst').onclick = () => write(burst);
$('#step').onclick = () => write(() => tasks.step());
$('#race').onclick = guarded(() => { races.postMessage(50); return race(50); });

await refresh().catch(showError);
