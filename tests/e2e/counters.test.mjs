// At stake: speed, by what it is made of, in the real browser: a write that is awaited is one IndexedDB transaction with one put, however it
// is counted, by the hub or at IndexedDB itself. tests/counters.rs gates the rest natively; times are nobody's gate.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withWorld } from './world.mjs';

/** Of one tab. All together stay below the log's limits: a checkpoint would be counted too. */
const WRITES = 40;
const TABS = 4;
const WRITES_OF_EACH = 25;
const OPTIONS = { workerUrl: '/counting/hub.js', wasmUrl: '/dist/hub.wasm' };

test('what writing costs in IndexedDB', { timeout: 120_000 }, async (t) => {
  await withWorld(t, async (world) => {
    const tabs = await world.tabs(TABS, 'counted.db', { options: OPTIONS });
    await tabs[0].run(() => db.exec('CREATE TABLE item (id INTEGER PRIMARY KEY, body BLOB NOT NULL)'));

    await world.step('a write that is awaited is one transaction, one look at the epoch and one put', async () => {
      const found = await spent(tabs.slice(0, 1), writeEach, WRITES);
      t.diagnostic(JSON.stringify(found));
      assertOneEach(found, WRITES);
    });
    await world.step('control: a write more is noticed', async () => {
      const found = await spent(tabs.slice(0, 1), writeEach, WRITES + 1);
      assert.throws(() => assertOneEach(found, WRITES), { code: 'ERR_ASSERTION' });
    });
    await world.step('writes that are made at once share their transactions', async () => {
      const found = await spent(tabs.slice(0, 1), writeAtOnce, WRITES);
      t.diagnostic(JSON.stringify(found));
      assert.equal(found.commits, WRITES);
      assertGrouped(found, WRITES / 10);
    });
    await world.step('and so do those of several tabs', async () => {
      const found = await spent(tabs, writeEach, WRITES_OF_EACH);
      t.diagnostic(JSON.stringify(found));
      assert.equal(found.commits, TABS * WRITES_OF_EACH);
      assertGrouped(found, TABS * WRITES_OF_EACH - 1);
    });
    await world.step('what is read from memory costs nothing', async () => {
      const { readwrite, put, store_writes } = await spent(tabs.slice(0, 1), readEach, WRITES);
      assert.deepEqual({ readwrite, put, store_writes }, { readwrite: 0, put: 0, store_writes: 0 });
    });
  }, { engine: 'chromium' });
});

/** Of the hub's figures and IndexedDB's, what the work of all tabs cost. */
async function spent(tabs, work, count) {
  const [first] = tabs;
  const before = await first.run(figures);
  await Promise.all(tabs.map((tab) => tab.run(work, count)));
  const after = await first.run(figures);
  return Object.fromEntries(Object.entries(after).map(([figure, value]) => [figure, value - before[figure]]));
}

function assertOneEach({ commits, store_writes, store_puts, readwrite, put, get, delete: deleted }, writes) {
  assert.deepEqual({ commits, store_writes, store_puts }, { commits: writes, store_writes: writes, store_puts: writes }, 'by the hub');
  assert.deepEqual({ readwrite, put, get, deleted }, { readwrite: writes, put: writes, get: writes, deleted: 0 }, 'at IndexedDB');
}

/** The hub and IndexedDB agree, and nothing but commits was written: one put each. */
function assertGrouped({ store_writes, store_puts, readwrite, put }, most) {
  assert.deepEqual([store_puts, readwrite, put], [store_writes, store_writes, store_writes]);
  assert.ok(store_writes <= most, `${store_writes} transactions, at most ${most}`);
}

/* These run in the page. */
async function figures() {
  const { commits, store_writes, store_puts } = await db.metrics();
  const channel = new BroadcastChannel('counts');
  const told = new Promise((resolve) => {
    channel.onmessage = ({ data }) => resolve(data);
  });
  channel.postMessage('tell');
  const counts = await told;
  channel.close();
  return { commits, store_writes, store_puts, ...counts };
}

async function writeEach(count) {
  for (let n = 0; n < count; n++) await db.run('INSERT INTO item (body) VALUES (randomblob(100))');
}

async function writeAtOnce(count) {
  await Promise.all(Array.from({ length: count }, () => db.run('INSERT INTO item (body) VALUES (randomblob(100))')));
}

async function readEach(count) {
  for (let n = 0; n < count; n++) await db.get('SELECT body FROM item WHERE id = 1');
}
