// At stake: a tab that shows what is not there any more. Live queries, changes and migrations between real tabs, also when the hub dies in between.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EVERY_ENGINE } from './engines.mjs';
import { byTurns } from './rounds.mjs';
import { withWorld } from './world.mjs';

const TABS = 4;
const QUERIES = 50;
const COMMITS = 1_000;
const SETTLED_MS = 30_000;

for (const { engine, skip } of byTurns(EVERY_ENGINE)) {
  test(`tabs of ${engine} are told of what changes`, { timeout: 300_000, skip }, async (t) => {
    await withWorld(t, async (world) => {
      await world.step('a write in one tab is seen in the other, by rows, differences, changes and loops', () => seenInAnother(world));
      await world.step('it goes on when the hub dies', () => overTheHubsDeath(world));
      await world.step(`${TABS} tabs with ${QUERIES} live queries each converge over ${COMMITS} commits`, () => manyQueries(t, world));
      await world.step('of several tabs that open at once one migrates', () => migrations(world));
    }, { engine });
  });
}

async function seenInAnother(world) {
  const [a, b] = await world.tabs(2, 'seen.db');
  await a.run(() => db.exec('CREATE TABLE todo (id INTEGER PRIMARY KEY, title TEXT, done INTEGER DEFAULT 0)'));
  await b.run(follow);
  await a.run(async () => {
    await db.run("INSERT INTO todo (title) VALUES ('milk'), ('bread')");
    await db.run('UPDATE todo SET done = 1 WHERE id = 1');
    await db.run('DELETE FROM todo WHERE id = 2');
  });
  const seen = await b.run(settled, { rows: [{ id: 1, title: 'milk', done: 1 }] }, SETTLED_MS);
  assert.deepEqual(seen.replayed, seen.rows, 'the differences lead to the rows');
  assert.deepEqual(seen.looped, seen.rows, 'and so does the loop');
  const kinds = seen.changes.map(({ origin, tables: [change] }) => [origin, change.table, change.kinds.join(), change.rowIds.join()]);
  assert.deepEqual(kinds, [['another', 'todo', 'insert', '1,2'], ['another', 'todo', 'update', '1'], ['another', 'todo', 'delete', '2']]);
  await Promise.all([a.close(), b.close()]);
}

async function overTheHubsDeath(world) {
  const [host, a, b] = await world.tabs(3, 'death.db');
  const pid = await world.processOfHub(host);
  await a.run(() => db.exec('CREATE TABLE todo (id INTEGER PRIMARY KEY, title TEXT, done INTEGER DEFAULT 0)'));
  await b.run(follow);
  await a.run(() => db.run("INSERT INTO todo (title) VALUES ('before')"));
  await b.run(settled, { rows: [{ id: 1, title: 'before', done: 0 }] }, SETTLED_MS);
  await world.browser.killProcess(pid);
  await a.run(() => db.run("INSERT INTO todo (title) VALUES ('after')"));
  const seen = await b.run(settled, { rows: [{ id: 1, title: 'before', done: 0 }, { id: 2, title: 'after', done: 0 }] }, SETTLED_MS);
  assert.deepEqual(seen.replayed, seen.rows);
  assert.equal(seen.differences.flatMap(({ added }) => added).length, 2, 'no row was added twice');
  assert.ok(seen.changes.at(-1).everything || seen.changes.at(-1).tables[0].table === 'todo');
  await Promise.all([host, a, b].map((tab) => tab.close()));
}

async function manyQueries(t, world) {
  const tabs = await world.tabs(TABS, 'many.db');
  await tabs[0].run((count) => db.exec(Array.from({ length: count }, (_, at) => `CREATE TABLE t${at} (id INTEGER PRIMARY KEY, n)`).join(';')), QUERIES);
  await Promise.all(tabs.map((tab) => tab.run(followAll, QUERIES, SETTLED_MS)));
  const before = await tabs[0].run(() => db.metrics());
  for (const tab of tabs) await tab.run(() => { harness.frames.length = 0; });
  await Promise.all(tabs.map((tab, at) => tab.run(writeMany, { commits: COMMITS / TABS, queries: QUERIES, seed: at }, 120_000)));
  for (const tab of tabs) assert.deepEqual(await tab.run(allConverge, QUERIES, SETTLED_MS), []);
  const after = await tabs[0].run(() => db.metrics());
  const figure = (name) => ((after[name] - before[name]) / COMMITS).toFixed(2);
  const told = (await Promise.all(tabs.map((tab) => tab.run(() => harness.frames.filter(({ kind }) => kind === 'live'))))).flat();
  const bytes = told.reduce((sum, frame) => sum + frame.bytes, 0);
  t.diagnostic(`per commit: ${figure('live_runs')} runs of a query, ${figure('live_updates')} results that differ; ${after.live_queries} distinct queries, ${TABS * QUERIES} followers`);
  t.diagnostic(`per commit: ${(told.length / COMMITS).toFixed(2)} states told to all tabs together, ${Math.round(bytes / COMMITS)} bytes`);
  assert.equal(after.live_queries, QUERIES, 'the same query of four tabs is one');
  const runs = after.live_runs - before.live_runs;
  assert.ok(runs <= COMMITS, `${runs} runs for ${COMMITS} commits, each of which touches one query`);
  await Promise.all(tabs.map((tab) => tab.close()));
}

async function migrations(world) {
  const migrations = [{ version: 1, up: 'CREATE TABLE a (x); INSERT INTO a VALUES (1)' }, { version: 2, up: 'INSERT INTO a VALUES (2)' }];
  const tabs = [await world.tab(), await world.tab(), await world.tab()];
  await Promise.all(tabs.map((tab) => tab.run(openWith, migrations)));
  for (const tab of tabs) assert.deepEqual(await tab.run(() => db.all('SELECT x FROM a ORDER BY x')), [{ x: 1 }, { x: 2 }]);
  const late = await world.tab();
  const failing = [...migrations, { version: 3, up: 'INSERT INTO a VALUES (3); INSERT INTO nowhere VALUES (1)' }];
  await assert.rejects(late.run(openWith, failing), { code: 'HUB_MIGRATION_FAILED', outcome: 'not-applied' });
  await assert.rejects(late.run(openWith, migrations.slice(0, 1)), { code: 'HUB_SCHEMA_NEWER' });
  await late.run(openWith, migrations);
  assert.deepEqual(await late.run(() => db.all('SELECT count(*) n, (SELECT user_version FROM pragma_user_version) v FROM a')), [{ n: 2, v: 2 }]);
  await Promise.all([...tabs, late].map((tab) => tab.close()));
}

/* These run in the page. */
function follow() {
  globalThis.seen = { differences: [], changes: [], replayed: [] };
  globalThis.live = db.live('SELECT * FROM todo ORDER BY id', [], { key: 'id' });
  live.onDiff((difference) => {
    seen.differences.push(difference);
    const gone = new Set([...difference.removed, ...difference.updated].map(({ id }) => id));
    seen.replayed = [...seen.replayed.filter(({ id }) => !gone.has(id)), ...difference.added, ...difference.updated].sort((a, b) => a.id - b.id);
  });
  db.onChange({ tables: ['todo'] }, (change) => seen.changes.push(change));
  (async () => { for await (const rows of live) seen.looped = rows; })();
  return new Promise((resolve) => live.subscribe(() => resolve()));
}

/** Waits until the rows are these. */
async function settled({ rows }) {
  while (JSON.stringify(live.getSnapshot()) !== JSON.stringify(rows)) await new Promise((resolve) => live.subscribe(() => setTimeout(resolve, 5)));
  // Whoever else is told is told in the same task, the loop and the changes soon after.
  await new Promise((resolve) => setTimeout(resolve, 100));
  return { ...seen, rows };
}

async function followAll(count) {
  globalThis.lives = Array.from({ length: count }, (_, at) => db.live(`SELECT count(*) AS n, sum(n) AS sum FROM t${at}`));
  await Promise.all(lives.map((live) => new Promise((resolve) => live.subscribe(() => resolve()))));
}

async function writeMany({ commits, queries, seed }) {
  for (let n = 0; n < commits; n++) await db.run(`INSERT INTO t${(n * 7 + seed * 13) % queries} (n) VALUES (?)`, [n]);
}

/** The queries whose live result is not what they answer, after a while. */
async function allConverge(count) {
  const different = async () => {
    const fresh = await db.batch(Array.from({ length: count }, (_, at) => `SELECT count(*) AS n, sum(n) AS sum FROM t${at}`));
    return fresh.flatMap(({ rows }, at) => (JSON.stringify(rows) === JSON.stringify(lives[at].getSnapshot()) ? [] : [at]));
  };
  let wrong;
  for (const end = performance.now() + 10_000; performance.now() < end && (wrong = await different()).length > 0; ) await new Promise((resolve) => setTimeout(resolve, 50));
  return wrong;
}

async function openWith(migrations) {
  globalThis.db = await tabhub.open('migrated.db', { migrations });
}
