// At stake: a query that runs for ever can be stopped by whoever asked for it, and until then it keeps nobody else waiting.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sleep, until } from './deadline.mjs';
import { ENGINE, EVERY_ENGINE } from './engines.mjs';
import { byTurns } from './rounds.mjs';
import { withWorld } from './world.mjs';

const DATABASE = 'cancel.db';
const ROWS = 20_000;
const ABORTS = 15;
const LONG_MS = 5_000;
/** Of each tab while the long query runs; it would be several hundred, but the machine may be busy. */
const POINT_READS_LEAST = 20;

const skipOf = (engine) => EVERY_ENGINE.find((one) => one.engine === engine)?.skip;

for (const { engine, skip } of byTurns(EVERY_ENGINE.filter(({ engine }) => engine !== 'webkit'))) {
  test(`a statement is stopped in its middle in ${engine}`, { timeout: 180_000, skip }, async (t) => {
    await withWorld(t, async (world) => {
      const tabs = await world.tabs(4, DATABASE);
      await tabs[0].run(fill, ROWS);
      const [first, second] = tabs;
      await world.step('an endless query is aborted', () => isAborted(t, first));
      await world.step('an endless query runs into its timeout', () => timesOut(t, first));
      await world.step('an aborted write leaves nothing behind and lets the next one on', () => undoes(t, first, second));
      await world.step('a closed tab, and db.close(), stop what they ran', () => stopsWithItsTab(world, first));
      await world.step('point reads of three tabs go on beside a long query', () => goesOn(t, tabs));
    }, { engine });
  });
}

test('without JSPI a statement is stopped between two rows, and by its timeout', { timeout: 120_000, skip: skipOf(ENGINE) }, async (t) => {
  await withWorld(t, async (world) => {
    const [tab, other] = await world.tabs(2, DATABASE, { options: { workerUrl: '/dist/hub.js?jspi=off' } });
    await tab.run(fill, ROWS);
    await world.step('a query of endless rows is aborted', () => isAborted(t, tab, 'WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n'));
    await world.step('one without rows runs into its timeout', () => timesOut(t, tab));
    await world.step('and so does a write, which leaves nothing behind', () => undoesLate(tab, other));
  });
});

/* Runs in the page. */
const fill = (rows) =>
  db.exec(`CREATE TABLE item (id INTEGER PRIMARY KEY, v INTEGER NOT NULL);
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${rows}) INSERT INTO item SELECT i, 1 FROM n;`);

const running = (tab) => tab.run(() => db.metrics().then(({ running }) => running));
const isIdle = (tab) => until(10_000, 'nothing to run in the hub', async () => (await running(tab)) === 0);

const middle = (times) => [...times].sort((a, b) => a - b)[times.length >> 1];
const summary = (times) => `median ${middle(times).toFixed(1)} ms, at most ${Math.max(...times).toFixed(1)} ms of ${times.length}`;

async function isAborted(t, tab, sql) {
  const seen = await tab.run(abortInPage, { sql, times: ABORTS });
  assert.deepEqual(seen.codes, Array(ABORTS).fill('HUB_CANCELLED'));
  assert.ok(seen.ran.every((running) => running > 0), `it had begun each time: ${seen.ran}`);
  t.diagnostic(`from abort() until the hub runs nothing: ${summary(seen.idle)}`);
}

async function abortInPage({ sql = harness.endless, times }) {
  const seen = { codes: [], idle: [], ran: [] };
  for (let n = 0; n < times; n++) {
    const abort = new AbortController();
    const call = db.all(sql, [], { signal: abort.signal }).then(() => 'ended', (error) => error.code);
    seen.ran.push((await db.metrics()).running);
    await harness.sleep(5 + n);
    const start = performance.now();
    abort.abort();
    while ((await db.metrics()).running > 0) if (performance.now() > start + 10_000) throw new Error('it runs on');
    seen.idle.push(performance.now() - start);
    seen.codes.push(await call);
  }
  return seen;
}

async function timesOut(t, tab) {
  const { code, late } = await tab.run(async () => {
    const start = performance.now();
    const code = await db.all(harness.endless, [], { timeout: 300 }).then(() => 'ended', (error) => error.code);
    await db.get('SELECT v FROM item WHERE id = 1');
    return { code, late: performance.now() - start - 300 };
  });
  assert.equal(code, 'HUB_TIMEOUT');
  t.diagnostic(`from its timeout until the next call was answered: ${late.toFixed(1)} ms`);
  await isIdle(tab);
}

/** Changes half of the rows, then goes on for ever. */
const ENDLESS_UPDATE = (rows) => `UPDATE item SET v = CASE WHEN id <= ${rows / 2} THEN v + 1 ELSE (WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n) END`;
const sumOf = (tab) => tab.run(() => db.get('SELECT sum(v) AS sum FROM item').then(({ sum }) => sum));

async function undoes(t, writer, next) {
  const before = await sumOf(next);
  await writer.run((sql) => {
    globalThis.abort = new AbortController();
    globalThis.update = db.run(sql, [], { signal: abort.signal }).then(() => 'ended', ({ code, outcome }) => `${code} ${outcome}`);
  }, ENDLESS_UPDATE(ROWS));
  await until(10_000, 'the update to run', () => running(next));
  await sleep(200);
  await next.run(() => {
    globalThis.written = db.run('UPDATE item SET v = v + 1 WHERE id = 1').then(() => harness.now());
  });
  const aborted = await writer.run(() => {
    abort.abort();
    return harness.now();
  });
  const waited = (await next.run(() => written)) - aborted;
  t.diagnostic(`from abort() until the next write was durable: ${waited.toFixed(1)} ms`);
  assert.ok(waited > 0, 'it waited for its turn');
  assert.equal(await writer.run(() => update), 'HUB_CANCELLED not-applied');
  assert.equal(await sumOf(next), before + 1);
}

async function undoesLate(writer, next) {
  const before = await sumOf(next);
  const code = await writer.run((sql) => db.run(sql, [], { timeout: 500 }).then(() => 'ended', (error) => error.code), ENDLESS_UPDATE(ROWS));
  assert.equal(code, 'HUB_TIMEOUT');
  await next.run(() => db.run('UPDATE item SET v = v + 1 WHERE id = 1'));
  assert.equal(await sumOf(next), before + 1);
}

async function stopsWithItsTab(world, witness) {
  for (const end of [(tab) => tab.close(), (tab) => tab.run(() => db.close())]) {
    const tab = await world.tab(DATABASE);
    await tab.run((update) => {
      for (const sql of [harness.endless, harness.endless, update]) db.query(sql).catch(() => {});
    }, ENDLESS_UPDATE(ROWS));
    await until(10_000, 'all three to run', async () => (await running(witness)) === 3);
    await end(tab);
    await isIdle(witness);
    await witness.run(() => db.run('UPDATE item SET v = v WHERE id = 1'));
  }
}

async function goesOn(t, [long, ...others]) {
  await long.run((timeout) => {
    globalThis.long = db.all(harness.endless, [], { timeout }).then(() => 'ended', (error) => error.code);
  }, LONG_MS);
  const work = others.map((tab) => tab.run(readPoints, ROWS));
  assert.equal(await long.run(() => globalThis.long), 'HUB_TIMEOUT');
  await Promise.all(others.map((tab) => tab.run(() => void (globalThis.enough = true))));
  const seen = await Promise.all(work);
  t.diagnostic(`beside a query of ${LONG_MS} ms: ${seen.map(({ during, ms }) => `${during} reads, slowest ${ms.toFixed(1)} ms`).join('; ')}`);
  for (const { during } of seen) assert.ok(during >= POINT_READS_LEAST, `${during} point reads while the long query ran`);
}

/** Counts a read only if the long query runs on after it. */
async function readPoints(rows) {
  globalThis.enough = false;
  let during = 0;
  let ms = 0;
  for (let n = 1; !enough; n = (n * 7919) % rows) {
    const start = performance.now();
    const { v } = await db.get('SELECT v FROM item WHERE id = ?', [n]);
    if (!(v > 0)) throw new Error(`item ${n} is ${v}`);
    if ((await db.metrics()).running === 0) break;
    during++;
    ms = Math.max(ms, performance.now() - start);
    await harness.sleep(5);
  }
  return { during, ms };
}
