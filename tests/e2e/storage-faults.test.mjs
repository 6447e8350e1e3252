// At stake: what the browser does to the storage under a running hub. A full quota, a lost connection, data cleared by the user:
// each ends in what was promised, never in a lost ack. In Chromium, which can be told to do all three.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sleep, until } from './deadline.mjs';
import { acksOf, createLedger, everyLaneAcked, heard, problemsOf, readLedger, startWriting } from './ledger.mjs';
import { randomOf } from './random.mjs';
import { SEED } from './rounds.mjs';
import { withWorld } from './world.mjs';

const ENGINE = { engine: 'chromium' };
const MB = 1_000_000;
const TABS = 4;
const LOSSES = 5;

test('a full quota is SQLITE_FULL, reading goes on, and writing again once there is room', { timeout: 180_000 }, async (t) => {
  await withWorld(t, async (world) => {
    // Before the first write: Chromium remembers for a while how much room there was.
    await world.start();
    await world.browser.setQuota(world.site.url, 20 * MB);
    const [tab, other] = await world.tabs(2, 'full.db');
    await tab.run(() => db.exec('CREATE TABLE filler (n INTEGER PRIMARY KEY, body BLOB NOT NULL)'));
    const { stored, error } = await tab.run(fill, { most: 200 });
    assert.deepEqual({ code: error?.code, outcome: error?.outcome }, { code: 'SQLITE_FULL', outcome: 'not-applied' }, `after ${stored} MB`);
    assert.ok(stored > 0, 'something was stored before');
    for (const reader of [tab, other]) assert.deepEqual(await reader.run(content), { rows: stored, last: stored, integrity: 'ok' });

    await world.browser.setQuota(world.site.url, undefined);
    const again = await tab.run(fill, { most: stored + 3 });
    assert.deepEqual(again, { stored: stored + 3, error: null }, 'writing works again, without opening again');
    await world.restart();
    const reopened = await world.tab('full.db');
    assert.deepEqual(await reopened.run(content), { rows: stored + 3, last: stored + 3, integrity: 'ok' });
    t.diagnostic(`full after ${stored} rows of 1 MB`);
  }, ENGINE);
});

/* These run in the page. */
async function fill({ most }) {
  let stored = (await db.get('SELECT count(*) AS n FROM filler')).n;
  for (; stored < most; stored++) {
    const error = await db.run('INSERT INTO filler VALUES (?, randomblob(1000000))', [stored + 1]).then(() => null, ({ code, outcome, message }) => ({ code, outcome, message }));
    if (error) return { stored, error };
  }
  return { stored, error: null };
}

/** The hub that failed tells so for a second to those who come. */
async function openAnew() {
  const opened = await tabhub.open('cleared.db').catch(() => null);
  if (opened) globalThis.db = opened;
  return opened !== null;
}

async function content() {
  const { rows, last } = await db.get('SELECT count(*) AS rows, max(n) AS last FROM filler WHERE length(body) = 1000000');
  return { rows, last, integrity: (await db.get('PRAGMA integrity_check')).integrity_check };
}

test('a lost connection to IndexedDB is opened again, and no ack is lost', { timeout: 240_000 }, async (t) => {
  await withWorld(t, async (world) => {
    t.diagnostic(`seed ${SEED}: KILL_SEED=${SEED} repeats the moments`);
    const random = randomOf(SEED);
    const { lines } = world.site;
    const numbers = Array.from({ length: TABS }, (_, at) => at);
    const tabs = await world.tabs(TABS, 'lost.db', { page: 'ledger.html' });
    await createLedger(tabs[0]);
    const before = await tabs[0].run(() => db.status);
    await startWriting(tabs, numbers);
    for (let loss = 0; loss < LOSSES; loss++) {
      await sleep(random() * 500);
      await world.browser.loseStorageConnections();
      await everyLaneAcked(lines, lines.all.length, numbers, `after loss ${loss}`);
    }
    await Promise.all(tabs.map((tab) => tab.run(() => ledger.stop())));
    const said = heard(lines.all, numbers);
    assert.deepEqual(problemsOf(said, await readLedger(tabs[1], numbers), numbers, { open: false }), []);
    assert.equal(said.lost, 0, 'a lost connection costs no transaction');
    const after = await tabs[0].run(() => db.status);
    assert.deepEqual({ state: after.state, hub: after.hub, epoch: after.epoch }, { state: 'open', hub: before.hub, epoch: before.epoch });
    t.diagnostic(`${acksOf(said)} acks around ${LOSSES} losses`);
  }, ENGINE);
});

test('data cleared by the user ends the hub with HUB_DELETED, and the next one begins anew', { timeout: 120_000 }, async (t) => {
  await withWorld(t, async (world) => {
    const [tab, other] = await world.tabs(2, 'cleared.db');
    await tab.run(() => db.exec('CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1)'));
    await world.browser.clearSiteData(world.site.url);
    const refused = await tab.run(() => db.run('INSERT INTO t VALUES (2)').then(() => 'stored', ({ code }) => code));
    assert.equal(refused, 'HUB_DELETED');
    for (const each of [tab, other]) await until(10_000, 'the tab to hear of it', () => each.run(() => db.status.state === 'failed'));
    const fresh = await world.tab();
    await until(10_000, 'a fresh hub', () => fresh.run(openAnew), 300);
    assert.deepEqual(await fresh.run(() => db.all('SELECT name FROM sqlite_schema')), []);
    await fresh.run(() => db.exec('CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1)'));
    assert.deepEqual(await fresh.run(() => db.all('SELECT id FROM t')), [{ id: 1 }]);
  }, ENGINE);
});
