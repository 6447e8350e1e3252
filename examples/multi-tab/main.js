// A task list shared by all tabs: connects the page (index.html, list.js) with the data (tasks.js), as live queries tell it.
import { $, clearError, count, format, guarded, milliseconds, showError, statusLine } from '../page.js';
import { showCount } from './count.js';
import { TaskList } from './list.js';
import { showPresence } from './presence.js';
import { Tasks } from './tasks.js';
import { endSharedHub, offerTrouble } from './trouble.js';

const PAGE = 100;
const view = { filter: 'all', limit: PAGE };

const mode = new URLSearchParams(location.search).get('mode') ?? 'auto';
if (mode === 'leader') endSharedHub();
const tasks = await Tasks.open(Number(sessionStorage.getItem('tab')), mode).catch(error => {
  showError(error);
  throw error;
});
sessionStorage.setItem('tab', String(tasks.tab));
const updateStatus = statusLine(tasks.db, $('#status'));
showPresence(tasks);
showCount(tasks, updateStatus);
offerTrouble(tasks, mode);

const list = new TaskList($('#tasks'), {
  rename: (id, title) => write(() => mustExist(tasks.rename(id, title))),
  tick: (id, done) => write(() => mustExist(tasks.tick(id, done))),
  remove: id => write(() => tasks.remove(id)),
});

/** All tabs are to count at the same time. */
const races = new BroadcastChannel('tasks.db:race');
races.onmessage = guarded(({ data }) => race(data));

/** Whether it was done; if not, it is shown why. */
async function write(action) {
  clearError();
  try {
    await action();
    return true;
  } catch (error) {
    showError(error);
    return false;
  }
}

let stop = () => {};

/** Follows what is to be shown from now on. What is shown stays until the first rows are there. */
function follow() {
  stop();
  let isFirst = true;
  const { filter, limit } = view;
  for (const button of $('#filters').children) button.setAttribute('aria-pressed', String(button.dataset.filter === filter));
  // One more than is shown tells whether there are more.
  stop = tasks.newest(filter, limit + 1).subscribe({
    next: rows => {
      const shown = rows.slice(0, limit);
      // What another tab has just written; not what comes into view by a click here.
      list.render(shown, ({ writer }) => !isFirst && writer !== tasks.tab);
      isFirst = false;
      $('#empty').hidden = rows.length > 0;
      $('#shown').textContent = rows.length > limit ? `The newest ${format(limit)}` : '';
      $('#more').hidden = rows.length <= limit;
    },
    error: showError,
  });
}

function renderTotals([totals]) {
  for (const { dataset: { filter }, lastElementChild } of $('#filters').children) lastElementChild.textContent = format(totals[filter]);
  $('#clear').disabled = totals.done === 0;
  updateStatus();
}

function renderCounter([{ value, steps, tabs }]) {
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
    const how = groups === undefined ? 'while another hub took over' : `stored as ${count(groups, 'IndexedDB transaction')}`;
    $('#rate').textContent = `${format(Math.round(n / seconds))} writes a second: ${n} in ${milliseconds(seconds * 1000)}, ${how}`;
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
for (const button of $('#filters').children) {
  button.onclick = guarded(() => {
    Object.assign(view, { filter: button.dataset.filter, limit: PAGE });
    follow();
  });
}
$('#more').onclick = guarded(() => {
  view.limit += 5 * PAGE;
  follow();
});
$('#clear').onclick = () => write(() => tasks.removeDone());
$('#burst').onclick = () => write(burst);
$('#step').onclick = () => write(() => tasks.step());
$('#race').onclick = guarded(() => { races.postMessage(50); return race(50); });

$('#another').href = `./${location.search}`;
follow();
tasks.totals().subscribe({ next: renderTotals, error: showError });
tasks.counter().subscribe({ next: renderCounter, error: showError });
