/**
 * `npm run browsers`: builds, then tries in every browser that is here (or in TABHUB_BROWSER) what tabhub can do there, and prints the table that
 * the README has. Nothing fails by it: what is found is the answer.
 */
import { build } from './build.mjs';
import { setup } from './setup.mjs';
import { runAsScript } from './tools.mjs';

/** When the hub dies: the writes are on their way by then, and not yet done. */
const HUB_ENDS_MS = 20;

/** Each runs in a page, on a database of its own; its value, or what it throws, is the cell. */
const TRIALS = {
  'Web Locks': async () => (await navigator.locks.query()).held.some(({ name }) => name.startsWith('tabhub:trials.db:hub:')),
  'hub in a SharedWorker': async () => db.status.mode === 'shared',
  'hub in one of the tabs (`leader`)': async () => {
    const led = await tabhub.open('led.db', { mode: 'leader' });
    await led.exec('CREATE TABLE t (v)');
    return led.status.role === 'leader';
  },
  'a point read is answered beside an endless query (JSPI)': async () => {
    const endless = db.all(harness.endless, [], { timeout: 2_000 }).catch(() => false);
    return Promise.race([endless, db.get('SELECT 1').then(() => true)]);
  },
  '500 writes on their way when the hub dies: each is there once': async (ms) => {
    const killed = await tabhub.open('killed.db', { workerUrl: '/examples/multi-tab/hub.js', wasmUrl: '/dist/hub.wasm' });
    await killed.exec('CREATE TABLE t (v)');
    let changes = 0;
    killed.on('failover', () => { changes += 1; });
    const writes = Array.from({ length: 500 }, (_, n) => killed.run('INSERT INTO t VALUES (?)', [n]));
    setTimeout(() => new BroadcastChannel('tasks.db:end').postMessage('any hub'), ms);
    await Promise.all(writes);
    const { n, different } = await killed.get('SELECT count(*) AS n, count(DISTINCT v) AS different FROM t');
    return changes > 0 && n === 500 && different === 500;
  },
  '`strict`: the browser takes the wish to flush to the disk': () => new Promise((resolve, reject) => {
    const request = indexedDB.open('flush');
    request.onupgradeneeded = () => request.result.createObjectStore('s');
    request.onsuccess = () => resolve(request.result.transaction('s', 'readwrite', { durability: 'strict' }).durability === 'strict');
    request.onerror = () => reject(request.error);
  }),
  '`db.backup()` to a path': () => db.backup('trial.db').then(() => true),
  '`persist()`, with nobody to ask': () => tabhub.persist({ timeout: 1_000 }),
  '`estimate()`': () => tabhub.estimate().then(({ quota }) => quota > 0),
  '`databases()`': () => tabhub.databases().then((names) => names.includes('trials.db')),
};

runAsScript(import.meta.url, async () => {
  await setup({ tests: true });
  await build();
  // What drives the browsers needs npm packages, which the set-up installs.
  const { withWorld } = await import('../../tests/e2e/world.mjs');
  const { ALL_ENGINES } = await import('../../tests/e2e/engines.mjs');
  const columns = [];
  for (const { engine, skip } of ALL_ENGINES) {
    if (skip) console.log(`${engine}: ${skip}`);
    else await withWorld(null, async (world) => columns.push(await tryAll(world, engine)), { engine });
  }
  const rows = Object.keys(columns[0] ?? {}).map((row) => [row, ...columns.map((column) => column[row])]);
  rows.splice(1, 0, rows[0].map(() => '---'));
  for (const row of rows) console.log(`| ${row.join(' | ')} |`);
});

async function tryAll(world, engine) {
  // Not as the other tests have it, whose hubs end with their last tab.
  const tab = await world.tab('trials.db', { page: 'esm.html?lasting' });
  // WebKit says another's number.
  const version = await tab.run(() => /(?:Chrome|Firefox)\/(\d+)/.exec(navigator.userAgent)?.[1] ?? '');
  const column = { '': `${engine} ${version}` };
  for (const [what, trial] of Object.entries(TRIALS)) column[what] = await tab.run(trial, HUB_ENDS_MS).then(cell, (error) => error.code ?? error.message);
  const before = await tab.run(() => db.status.hub);
  await tab.reload();
  column['the hub outlives a reload of the only tab'] = cell((await tab.run(async () => (await tabhub.open('trials.db')).status.hub)) === before);
  return column;
}

function cell(found) {
  return { true: 'yes', false: 'no' }[found] ?? String(found);
}
