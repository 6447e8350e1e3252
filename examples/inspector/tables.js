// Draws what inspect() tells: tables, figures and histograms. Called by main.js with plain data; it asks for nothing.
import { count, el, format, milliseconds } from '../page.js';

const time = ms => new Date(ms).toLocaleTimeString();
const mebibytes = bytes => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
const percent = (part, whole) => whole === 0 ? '–' : `${(100 * part / whole).toFixed(1)} %`;
const sql = text => el('code', { title: text }, text.replace(/\s+/g, ' ').slice(0, 160));

/** Each table: its columns, by heading, and what each shows of a row. A figure stands to the right. */
const COLUMNS = {
  sessions: [
    ['tab', row => `${row.session}${row.isOwn ? ' (this one)' : ''}`], ['open for', row => milliseconds(row.openMs), true], ['requests', row => format(row.requests), true],
    ['last write', row => row.lastWrite === 0 ? '–' : `commit ${format(row.lastWrite)}`, true], ['cache wanted', row => row.cacheBytes === null ? '–' : mebibytes(row.cacheBytes), true], ['version', row => row.build], ['client', row => el('code', {}, row.client.slice(0, 8))],
  ],
  transactions: [
    ['tab', row => row.session], ['mode', row => row.mode], ['state', row => row.isIdle ? 'idle: its tab asks nothing' : 'a statement is under way'], ['open for', row => milliseconds(row.ms), true], ['sees commit', row => row.snapshot === null ? 'the newest' : format(row.snapshot), true],
  ],
  live: [
    ['query', row => sql(row.sql)], ['reads', row => row.tables ?? 'anything'], ['followers', row => format(row.followers), true], ['rows', row => format(row.rows), true], ['of commit', row => format(row.commit), true], ['', row => row.isRunning ? 'running' : ''],
  ],
  log: [['at', row => time(row.at)], ['level', row => row.level], ['message', row => row.message]],
};

const cell = ([, show, isFigure], row) => el('td', { className: isFigure ? 'numeric' : '' }, show(row));

function table(columns, rows, label) {
  const head = el('tr', {}, ...columns.map(([heading, , isFigure]) => el('th', { scope: 'col', className: isFigure ? 'numeric' : '' }, heading)));
  const body = rows.map(row => el('tr', {}, ...columns.map(column => cell(column, row))));
  return el('div', { className: 'table', tabIndex: 0, role: 'region', ariaLabel: label }, el('table', {}, el('thead', {}, head), el('tbody', {}, ...body)));
}

/** Puts a table into its place, or says that there is nothing. */
export function showTable(name, rows, nothing) {
  document.getElementById(name).replaceChildren(rows.length === 0 ? el('p', { className: 'muted small' }, nothing) : table(COLUMNS[name], rows, name));
}

/** The requests, each with a button that stops it. */
export function showRequests(rows, cancel) {
  const stop = row => el('button', { type: 'button', className: 'small', ariaLabel: `Cancel ${row.op} ${row.id} of tab ${row.session}`, onclick: () => cancel(row) }, 'Cancel');
  const columns = [['tab', row => row.session], ['what', row => row.op], ['SQL', row => sql(row.sql)], ['state', row => row.state], ['since', row => milliseconds(row.ms), true], ['', stop]];
  const place = document.getElementById('requests');
  // A button that somebody is about to press stays where it is.
  if (place.matches(':focus-within') && rows.length > 0 && place.dataset.shown === key(rows)) return;
  place.dataset.shown = key(rows);
  place.replaceChildren(rows.length === 0 ? el('p', { className: 'muted small' }, 'Nothing is under way.') : table(columns, rows, 'requests'));
}

const key = rows => rows.map(({ session, id, state }) => `${session} ${id} ${state}`).join();

export function showFigures(status, metrics) {
  const m = metrics;
  const figures = {
    'hub': `${status.hub.slice(0, 8)}, ${status.mode}`, 'epoch': format(m.epoch), 'tabs': format(m.sessions), 'commits': `${format(m.commits)} in ${count(m.groups, 'group')}`, 'newest commit': `${format(m.commit_published)}, stored ${format(m.commit_durable)}`,
    'log': `${count(m.log_records, 'record')}, ${mebibytes(m.log_bytes)}`, 'checkpoints': format(m.checkpoints), 'database': mebibytes(m.blocks_total * m.block_bytes), 'cache': `${mebibytes(m.cache_bytes)} of ${mebibytes(m.cache_bytes_max)}`,
    'cache hits': percent(m.cache_hits, m.cache_hits + m.cache_misses), 'memory': mebibytes(m.memory_bytes), 'storage': status.storage,
  };
  document.getElementById('figures').replaceChildren(...pairs(figures));
  document.getElementById('metrics').replaceChildren(...pairs(Object.fromEntries(Object.entries(metrics).map(([name, value]) => [name, format(value)]))));
}

const pairs = figures => Object.entries(figures).map(([name, value]) => el('div', {}, el('dt', {}, name), el('dd', {}, value)));

/** A histogram for each kind of request. */
export function showLatencies(latencies) {
  const kinds = [...new Set(latencies.map(({ op }) => op))];
  const figures = kinds.map(op => {
    const buckets = latencies.filter(latency => latency.op === op);
    const all = buckets.reduce((sum, bucket) => sum + bucket.count, 0);
    const most = Math.max(...buckets.map(bucket => bucket.count));
    return el('figure', { className: 'bar-group' }, el('figcaption', {}, `${op}, ${format(all)}`), ...buckets.map(bucket => bar(bucket, all, most)));
  });
  document.getElementById('latencies').replaceChildren(...figures);
}

function bar({ upToMs, count: times }, all, most) {
  const filled = el('div', { className: 'bar ours' });
  filled.style.width = `${Math.max(1, 100 * times / most)}%`;
  const label = upToMs === null ? 'longer' : `up to ${milliseconds(upToMs)}`;
  return el('div', { className: 'bar-row' }, el('span', { className: 'muted number' }, label), el('div', { className: 'bar-track' }, filled), el('span', { className: 'bar-value number' }, `${format(times)}, ${percent(times, all)}`));
}
