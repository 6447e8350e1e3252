// Looks into a hub and shows it, once a second. Connects the page with tabhub.inspect(); the drawing is in tables.js.
import { databases, inspect } from '/dist/tabhub.js';
import { $, clearError, count, guarded, showError } from '../page.js';
import { showFigures, showLatencies, showRequests, showTable } from './tables.js';

const EVERY_MS = 1_000;

let inspector = null;
let isPaused = false;
let timer = 0;

/** Fills the list; `wanted` is chosen, if it is there. */
async function list(wanted) {
  const names = await databases();
  $('#database').replaceChildren(...names.map(name => new Option(name, name, false, name === wanted)));
  $('#none').hidden = names.length > 0;
  await look(names.length > 0 ? $('#database').value : null);
}

async function look(name) {
  clearTimeout(timer);
  clearError();
  await inspector?.close();
  inspector = name === null ? null : await inspect(name);
  $('#state').hidden = inspector === null;
  history.replaceState(null, '', name === null ? '.' : `?database=${encodeURIComponent(name)}${location.hash}`);
  if (inspector) await refresh();
}

async function refresh() {
  clearTimeout(timer);
  const looked = inspector;
  try {
    const state = await looked.state({ timeout: 5 * EVERY_MS });
    // Another database may have been chosen meanwhile.
    if (looked !== inspector) return;
    show(looked, state);
  } finally {
    if (looked === inspector && !isPaused && looked.status.state !== 'closed') timer = setTimeout(guarded(refresh), EVERY_MS);
  }
}

function show(looked, { metrics, sessions, requests, transactions, live, latencies, log }) {
  const { status } = looked;
  showFigures(status, metrics);
  $('#queue').textContent = `${count(metrics.queued, 'write')} in line for the writer, ${count(metrics.running, 'statement')} under way, ${metrics.suspended} of them suspended`;
  showRequests(requests, guarded(request => { looked.cancel(request); return refresh(); }));
  showTable('sessions', sessions, 'No tab has it open.');
  showTable('transactions', transactions, 'None is open.');
  showTable('live', live, 'Nobody follows a query.');
  showTable('log', log.toReversed(), 'The hub has said nothing.');
  showLatencies(latencies);
  $('#status').textContent = `${status.state} · ${looked.name} · hub ${status.hub.slice(0, 8)} (${status.mode}) · SQLite ${status.sqlite} · tabhub ${status.version} · ${new Date().toLocaleTimeString()}${isPaused ? ', paused' : ''}`;
}

$('#database').onchange = guarded(() => look($('#database').value));
$('#again').onclick = guarded(() => list($('#database').value));
$('#choose').onsubmit = event => event.preventDefault();
$('#pause').onclick = guarded(async () => {
  isPaused = !isPaused;
  $('#pause').setAttribute('aria-pressed', String(isPaused));
  $('#pause').textContent = isPaused ? 'Go on' : 'Pause';
  if (inspector) await refresh();
});

await list(new URLSearchParams(location.search).get('database')).catch(showError);
