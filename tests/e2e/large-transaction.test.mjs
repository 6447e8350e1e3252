// At stake: a transaction far larger than one write to the store. It is there whole or not at all, also when the browser is killed
// in the middle, and its progress can be seen meanwhile.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from './deadline.mjs';
import { withWorld } from './world.mjs';

const ROWS = 3_200;
const ROW_BYTES = 65_536;
const WRITE_MS = 240_000;
/** A commit above 4 MiB is written in several transactions of about that size, and the checkpoint's steps are no larger. */
const WRITE_BATCH_BYTES_MAX = 5 << 20;

const SCHEMA = `CREATE TABLE small (n INTEGER PRIMARY KEY);
  CREATE TABLE large (turn INTEGER NOT NULL, n INTEGER NOT NULL, body BLOB NOT NULL);`;

test('200 MB in one transaction', { timeout: 600_000 }, async (t) => {
  await withWorld(t, async (world) => {
    const [writer, other] = await world.tabs(2, 'large.db');
    await writer.run((schema) => db.exec(schema), SCHEMA);
    await world.step('it commits whole, in bounded writes, and other tabs see how far it is', () => commits(t, writer, other));
    await world.step('a kill in the middle leaves nothing of it', () => isKilled(t, world, writer, other));
    await world.step('the database is sound and writable', async () => {
      const tab = await world.tab('large.db');
      assert.deepEqual(await tab.run(() => db.check({ level: 'full' }), null, WRITE_MS), { ok: true, problems: [] });
      await tab.run(() => db.run('INSERT INTO small VALUES (3)'));
    });
  }, { engine: 'chromium' });
});

const insert = (turn) =>
  `WITH RECURSIVE p (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM p WHERE n < ${ROWS - 1}) INSERT INTO large SELECT ${turn}, n, randomblob(${ROW_BYTES}) FROM p`;

/** Starts the large write in the page and does not wait for it. */
const begin = (tab, turn) =>
  tab.run((sql) => {
    globalThis.writing = db.exec(sql, { timeout: 240_000 });
    writing.catch(() => {});
  }, insert(turn));

const metrics = (tab) => tab.run(() => db.metrics(), null, WRITE_MS);

async function commits(t, writer, other) {
  await begin(writer, 1);
  const steps = await watch(other);
  const { changes } = await writer.run(() => writing, null, WRITE_MS);
  assert.equal(changes, ROWS);
  t.diagnostic(`progress as seen by another tab, MB: ${steps.map((bytes) => Math.round(bytes / 1e6)).join(' ')}`);
  assert.ok(steps.length >= 3, 'the progress was seen several times');
  assert.deepEqual(steps, [...steps].sort((a, b) => a - b), 'it only grows');
  const after = await metrics(other);
  assert.deepEqual([after.large_commit_bytes, after.large_commit_written], [0, 0], 'nothing is under way any more');
  assert.ok(after.write_batch_bytes_max <= WRITE_BATCH_BYTES_MAX, `one write transaction held ${after.write_batch_bytes_max} bytes`);
  assert.deepEqual(await other.run(rowsOfTurns), [{ turn: 1, rows: ROWS, different: ROWS, bytes: ROWS * ROW_BYTES }]);
}

/** The bytes written so far, each time they have grown, until the commit is complete. */
async function watch(tab) {
  const steps = [];
  await until(WRITE_MS, 'the large commit to be written', async () => {
    const { large_commit_bytes, large_commit_written } = await metrics(tab);
    if (large_commit_bytes === 0) return steps.length > 0;
    assert.ok(large_commit_written <= large_commit_bytes, `${large_commit_written} of ${large_commit_bytes} bytes`);
    if (large_commit_written > (steps.at(-1) ?? 0)) steps.push(large_commit_written);
    return false;
  });
  return steps;
}

/* Runs in the page. */
const rowsOfTurns = () =>
  db.all('SELECT turn, count(*) AS rows, count(DISTINCT n) AS different, sum(length(body)) AS bytes FROM large GROUP BY turn', [], { timeout: 60_000 });

async function isKilled(t, world, writer, other) {
  await other.run(() => db.run('INSERT INTO small VALUES (1)'));
  await begin(writer, 2);
  const half = (ROWS * ROW_BYTES) / 2;
  const { large_commit_written } = await until(WRITE_MS, 'half of it to be written', async () => {
    const figures = await metrics(other);
    return figures.large_commit_written >= half && figures;
  });
  await world.browser.kill9();
  t.diagnostic(`killed with ${Math.round(large_commit_written / 1e6)} MB written`);
  await world.start();
  const tab = await world.tab('large.db');
  assert.deepEqual(await tab.run(rowsOfTurns, null, WRITE_MS), [{ turn: 1, rows: ROWS, different: ROWS, bytes: ROWS * ROW_BYTES }]);
  assert.deepEqual(await tab.run(() => db.all('SELECT n FROM small')), [{ n: 1 }]);
  // What was left of it makes room for the next write.
  await tab.run(() => db.run('INSERT INTO small VALUES (2)'));
  const { log_bytes } = await metrics(tab);
  t.diagnostic(`log after the next write: ${log_bytes} bytes`);
}
