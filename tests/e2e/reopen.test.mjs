// At stake: a cold open does not grow with the database. After a browser restart the first row comes after a few block
// reads, and everything else is still right when it is asked for.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from './deadline.mjs';
import { EVERY_ENGINE } from './engines.mjs';
import { byTurns } from './rounds.mjs';
import { withWorld } from './world.mjs';

const ITEMS = 30_000;
const BODY_BYTES = 1_000;
const WANTED = 12_345;

for (const { engine, skip } of byTurns(EVERY_ENGINE)) {
  test(`a 30 MB database is read on demand after a restart of ${engine}`, { timeout: 300_000, skip }, async (t) => {
    await withWorld(t, async (world) => {
      const before = await fill(await world.tab('big.db'));
      await world.restart();
      const tab = await world.tab('big.db');
      await world.step('the first indexed row needs few blocks', () => readOne(t, tab, before.row));
      await world.step('a full scan is right', () => readAll(t, tab, before.digest));
    }, { engine });
  });
}

async function fill(tab) {
  await tab.run(fillInPage, { items: ITEMS, bytes: BODY_BYTES }, 120_000);
  await checkpointed(tab);
  return { row: await one(tab), digest: await digest(tab) };
}

/** In parts: one transaction of 30 MB is not the subject here. */
async function fillInPage({ items, bytes }) {
  await db.exec('CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT NOT NULL, body BLOB NOT NULL); CREATE INDEX item_by_name ON item (name)');
  const part = 2_000;
  for (let low = 0; low < items; low += part) {
    await db.run(
      `WITH RECURSIVE n (id) AS (SELECT :low UNION ALL SELECT id + 1 FROM n WHERE id < :low + :part - 1)
       INSERT INTO item SELECT id, printf('name %06d', id * 7919 % :items), randomblob(:bytes) FROM n`,
      { low, part, items, bytes },
    );
  }
}

/** The log is read at open whatever is asked; the background checkpoint is given the time to fold it. */
async function checkpointed(tab) {
  let last = -1;
  await until(
    30_000,
    'the background to write no more',
    async () => {
      const { store_writes } = await tab.run(() => db.metrics());
      const steady = store_writes === last;
      last = store_writes;
      return steady;
    },
    1_000,
  );
}

const one = (tab) =>
  tab.run((n) => db.get("SELECT id, name, hex(body) AS body FROM item WHERE name = printf('name %06d', ?)", [n]), WANTED);

const digest = (tab) =>
  tab.run(async () => {
    const parts = [];
    for await (const row of db.iterate('SELECT id, name, body FROM item ORDER BY id')) parts.push(`${row.id} ${row.name} `, row.body);
    return { items: parts.length / 2, hash: await harness.sha256(await new Blob(parts).arrayBuffer()) };
  }, null, 120_000);

async function readOne(t, tab, row) {
  assert.deepEqual(await one(tab), row);
  const { blocks_read, blocks_total, log_records } = await tab.run(() => db.metrics());
  t.diagnostic(`first row: ${blocks_read} of ${blocks_total} blocks read, ${log_records} log records`);
  assert.ok(blocks_total > 0 && blocks_read > 0, 'the counters count');
  assert.ok(blocks_read <= blocks_total / 10, `${blocks_read} of ${blocks_total} blocks were read for one row`);
}

async function readAll(t, tab, expected) {
  assert.deepEqual(await digest(tab), expected);
  const { blocks_read, blocks_total, misses, restarts } = await tab.run(() => db.metrics());
  t.diagnostic(`full scan: ${blocks_read} of ${blocks_total} blocks read, ${misses} misses, ${restarts} restarts`);
  assert.deepEqual(await tab.run(() => db.all('PRAGMA integrity_check')), [{ integrity_check: 'ok' }]);
}
