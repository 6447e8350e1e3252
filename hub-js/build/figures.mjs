/**
 * `npm run figures [-- --large]`: builds, then prints what the store costs in headless Chromium: IndexedDB transactions, puts and bytes
 * per commit, the time to open against the size of the database, and how far the log grows. Figures for people; nothing fails by them.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { build } from './build.mjs';
import { setup } from './setup.mjs';
import { BuildError, ROOT, runAsScript } from './tools.mjs';

const SIZES_MB = [1, 10, 100];
const LARGE_MB = 1_000;
const OPENINGS = 9;
const FILL_MB = 4;
const GROWTH_MS = 10_000;
const RUN_MS = 900_000;

runAsScript(import.meta.url, async (args) => {
  const { values } = parseArgs({ args, options: { large: { type: 'boolean', default: false } } });
  await setup({ tests: true });
  await build();
  // What drives the browser needs npm packages, which the set-up installs.
  const { withWorld } = await import('../../tests/e2e/world.mjs');
  await withWorld(null, async (world) => {
    await commitFigures(world);
    await openFigures(world, values.large ? [...SIZES_MB, LARGE_MB] : SIZES_MB);
    await growthFigures(world);
  }, { engine: 'chromium' });
});

/** Each begins with the metrics and ends with them; the checkpoint's own writes in between are counted too. */
const WORKLOADS = [
  { name: '200 writes of one row, each awaited', tabs: 1, work: writeEach, count: 200 },
  { name: '500 writes of one row at once', tabs: 1, work: writeAtOnce, count: 500 },
  { name: '4 tabs, 100 awaited writes each', tabs: 4, work: writeEach, count: 100 },
  { name: 'one transaction of 10 MB', tabs: 1, work: writeLarge, count: 160 },
];

async function commitFigures(world) {
  const rows = [];
  for (const [at, { name, tabs: count, work, count: writes }] of WORKLOADS.entries()) {
    const tabs = await world.tabs(count, `commits-${at}.db`);
    await tabs[0].run(() => db.exec('CREATE TABLE item (id INTEGER PRIMARY KEY, body BLOB NOT NULL)'));
    const before = await metrics(tabs[0]);
    await Promise.all(tabs.map((tab) => tab.run(work, writes, RUN_MS)));
    const after = await metrics(tabs[0]);
    const spent = (figure) => after[figure] - before[figure];
    const [commits, transactions, puts, bytes] = ['commits', 'store_writes', 'store_puts', 'bytes_written'].map(spent);
    const each = (amount) => short(amount / commits);
    rows.push([name, commits, transactions, puts, kb(bytes), each(transactions), each(puts), each(bytes)]);
    await closeAll(tabs);
  }
  table('IndexedDB work, checkpoints included', ['', 'commits', 'transactions', 'puts', 'KB', 'tx/commit', 'puts/commit', 'bytes/commit'], rows);
}

async function openFigures(world, sizes) {
  const rows = [];
  let smallest;
  for (const size of sizes) {
    const name = `open-${size}.db`;
    const first = await world.tab(name);
    await first.run(fill, { mb: size, part: FILL_MB }, RUN_MS);
    await checkpointed(first);
    await first.close();
    const times = [];
    for (let epoch = 1; times.length < OPENINGS; ) {
      const opened = await openOnce(world, name, times.length);
      if (opened.epoch > epoch) times.push(opened);
      epoch = opened.epoch;
    }
    const [open, row] = ['open', 'row'].map((what) => median(times.map((time) => time[what])));
    smallest ??= { open, row };
    const { blocks_read, blocks_total } = times.at(-1).metrics;
    rows.push([`${size} MB`, open.toFixed(1), (open / smallest.open).toFixed(2), row.toFixed(1), (row / smallest.row).toFixed(2), `${blocks_read} of ${blocks_total}`]);
  }
  table(`Cold open, median of ${OPENINGS}, milliseconds`, ['database', 'open', 'ratio', 'and first row', 'ratio', 'blocks read'], rows);
}

/** In a new tab. Cold if the epoch has grown: a hub may outlive its last tab for a moment. */
async function openOnce(world, name, n) {
  const tab = await world.tab();
  const opened = await tab.run(openInPage, { name, id: 1 + ((n * 7919) % 1000) });
  await tab.close();
  return opened;
}

/** Writing that never pauses: small commits by four tabs, and large ones by one. */
const GROWTHS = [
  { name: '4 tabs, small commits', tabs: 4, work: writeFor },
  { name: '1 tab, commits of 4 MB', tabs: 1, work: writeLargeFor },
];

async function growthFigures(world) {
  const limits = readLimits();
  const rows = [];
  for (const [at, { name, tabs: count, work }] of GROWTHS.entries()) {
    const [watcher, ...tabs] = await world.tabs(count + 1, `growth-${at}.db`);
    await watcher.run(() => db.exec('CREATE TABLE item (id INTEGER PRIMARY KEY, body BLOB NOT NULL)'));
    const watching = watcher.run(watchLog, GROWTH_MS, RUN_MS);
    await Promise.all(tabs.map((tab) => tab.run(work, GROWTH_MS, RUN_MS)));
    const { bytes, records, commits, checkpoints } = await watching;
    rows.push([name, commits, checkpoints, kb(bytes), short(bytes / limits.bytes), records, short(records / limits.records)]);
    await closeAll([watcher, ...tabs]);
  }
  const head = ['', 'commits', 'checkpoints', 'largest log, KB', '× limit', 'records', '× limit'];
  table(`Log under ${GROWTH_MS / 1000} s of writing; a checkpoint begins at ${kb(limits.bytes)} KB or ${limits.records} records`, head, rows);
}

/** Where a checkpoint begins, from the one place that says so. */
function readLimits() {
  const source = readFileSync(join(ROOT, 'src', 'store', 'limits.rs'), 'utf8');
  const [, bytes, shift] = /log_bytes: (\d+) << (\d+)/.exec(source) ?? [];
  const [, records] = /log_records: (\d+),\n\s+large/.exec(source) ?? [];
  if (!bytes || !records) throw new BuildError('src/store/limits.rs does not say log_bytes and log_records as it used to');
  return { bytes: Number(bytes) << Number(shift), records: Number(records) };
}

/** The log is read at open whatever the size: the figure is that of a database at rest, where nothing is written any more. */
async function checkpointed(tab) {
  for (let last = -1; ; ) {
    const { store_writes } = await metrics(tab);
    if (store_writes === last) return;
    last = store_writes;
    await new Promise((resolve) => setTimeout(resolve, 1_000));
  }
}

const metrics = (tab) => tab.run(() => db.metrics());
const closeAll = (tabs) => Promise.all(tabs.map((tab) => tab.close()));
const kb = (bytes) => (bytes / 1000).toFixed(0);
const short = (value) => (value >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(2))));
const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];

function table(title, head, rows) {
  const lines = [head, ...rows].map((row) => row.map(String));
  const widths = head.map((_, at) => Math.max(...lines.map((line) => line[at].length)));
  console.log(`\n${title}`);
  for (const line of lines) console.log(`  ${line.map((cell, at) => (at === 0 ? cell.padEnd(widths[at]) : cell.padStart(widths[at] + 3))).join('')}`);
}

/* These run in the page. */
async function writeEach(count) {
  for (let n = 0; n < count; n++) await db.run('INSERT INTO item (body) VALUES (randomblob(100))');
}

async function writeAtOnce(count) {
  await Promise.all(Array.from({ length: count }, () => db.run('INSERT INTO item (body) VALUES (randomblob(100))')));
}

async function writeLarge(count) {
  await db.exec(`WITH RECURSIVE p (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM p WHERE n < ${count}) INSERT INTO item (body) SELECT randomblob(65536) FROM p`);
}

async function writeFor(ms) {
  const end = performance.now() + ms;
  const loop = async () => {
    while (performance.now() < end) await db.run('INSERT INTO item (body) VALUES (randomblob(2000))');
  };
  await Promise.all([loop(), loop(), loop()]);
}

async function writeLargeFor(ms) {
  for (const end = performance.now() + ms; performance.now() < end; ) {
    await db.exec('WITH RECURSIVE p (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM p WHERE n < 2000) INSERT INTO item (body) SELECT randomblob(2000) FROM p');
  }
}

async function watchLog(ms) {
  const first = await db.metrics();
  const seen = { bytes: 0, records: 0 };
  for (const end = performance.now() + ms; performance.now() < end; await harness.sleep(20)) {
    const { log_bytes, log_records } = await db.metrics();
    seen.bytes = Math.max(seen.bytes, log_bytes);
    seen.records = Math.max(seen.records, log_records);
  }
  const last = await db.metrics();
  return { ...seen, commits: last.commits - first.commits, checkpoints: last.checkpoints - first.checkpoints };
}

/** 1000 rows of a kilobyte a megabyte. */
async function fill({ mb, part }) {
  await db.exec('CREATE TABLE item (id INTEGER PRIMARY KEY, body BLOB NOT NULL)');
  for (let done = 0; done < mb; done += part) {
    const rows = Math.min(part, mb - done) * 1000;
    await db.exec(`WITH RECURSIVE p (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM p WHERE n < ${rows}) INSERT INTO item (body) SELECT randomblob(1000) FROM p`);
  }
}

async function openInPage({ name, id }) {
  const begun = performance.now();
  globalThis.db = await tabhub.open(name);
  const open = performance.now() - begun;
  await db.get('SELECT body FROM item WHERE id = ?', [id]);
  return { open, row: performance.now() - begun, epoch: db.status.epoch, metrics: await db.metrics() };
}
