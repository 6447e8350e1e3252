// At stake: a transaction that spans awaits belongs to one tab alone, never holds up the readers, and never outlives its
// tab. The first tab hosts the hub, so the others may die.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sleep, within } from './deadline.mjs';
import { withWorld } from './world.mjs';

const ROLLBACK_MS = 1_000;

test('interactive transactions of several tabs', { timeout: 240_000 }, async (t) => {
  await withWorld(t, async (world) => {
    const tabs = await world.tabs(3, 'transactions.db');
    await tabs[0].run(() => db.exec('CREATE TABLE entry (id INTEGER PRIMARY KEY AUTOINCREMENT, owner TEXT NOT NULL)'));
    const step = (name, body) =>
      world.step(name, async () => {
        await tabs[0].run(() => db.exec('DELETE FROM entry'));
        try {
          await body(...tabs);
        } finally {
          await Promise.all(tabs.map((tab) => tab.run(letGo)));
        }
      });
    await step('no statement of another tab comes in between', staysAlone);
    await step('many transactions at once from all tabs each stay whole', stayWhole);
    await step('reads of other tabs go on and see the state before', readsGoOn);
    await step('a read transaction keeps its snapshot', keepsSnapshot);
    await step('an error thrown by the callback rolls back and arrives unchanged', rollsBack);
    await step('a failed statement leaves the transaction usable', survivesFailedStatement);
    await step('an idle transaction is rolled back', timesOut);
    await step('an aborted transaction is rolled back', isAborted);
    await step('a tab closed inside a transaction is rolled back', () => dies(world, tabs[0], (tab) => tab.close()));
    await step('a tab that crashed inside a transaction is rolled back', () => dies(world, tabs[0], (tab) => tab.crash()));
    await step('after all this nothing is left open', () => leavesNothing(tabs[0]));
  });
});

/** Opens a transaction in the tab that writes one entry and then waits for `release`. */
async function hold(tab, owner, options = {}) {
  await tab.run(holdInPage, { owner, options });
}

async function holdInPage({ owner, options }) {
  const held = (globalThis.held = {});
  const released = new Promise((resolve) => (held.release = resolve));
  const begun = new Promise((resolve, reject) => {
    held.done = db.transaction(async (tx) => {
      await tx.run('INSERT INTO entry (owner) VALUES (?)', [owner]);
      resolve();
      await released;
      await tx.run('INSERT INTO entry (owner) VALUES (?)', [owner]);
    }, options);
    held.done.catch(reject);
  });
  await begun;
}

/** Whatever a failed step still holds would fail the next one too. */
async function letGo() {
  globalThis.held?.release();
  await globalThis.held?.done.catch(() => {});
  globalThis.held = undefined;
}

const release = (tab) =>
  tab.run(async () => {
    held.release();
    await held.done;
  });

const owners = async (tab) => (await tab.run(() => db.all('SELECT owner FROM entry ORDER BY id'))).map((row) => row.owner);

async function staysAlone(_host, a, b) {
  await hold(a, 'a');
  const writes = b.run(async () => {
    const writes = Array.from({ length: 20 }, () => db.run("INSERT INTO entry (owner) VALUES ('b')"));
    await Promise.all(writes);
    return harness.now();
  });
  await sleep(300);
  const released = await a.run(() => {
    held.release();
    return harness.now();
  });
  assert.ok((await writes) > released, 'no write of b may be acknowledged while the transaction of a is open');
  await release(a);
  assert.deepEqual(await owners(b), ['a', 'a', ...Array(20).fill('b')]);
}

async function stayWhole(...tabs) {
  const work = tabs.map((tab, number) => tab.run(manyTransactions, `tab${number}`));
  await Promise.all(work);
  const stored = await owners(tabs[0]);
  assert.equal(stored.length, 3 * (10 * 3 + 30));
  const inside = stored.filter((owner) => owner.includes('-'));
  for (let at = 0; at < stored.length; at++) {
    if (!stored[at].includes('-')) continue;
    assert.deepEqual(stored.slice(at, at + 3), Array(3).fill(stored[at]), `transaction ${stored[at]} was torn apart`);
    at += 2;
  }
  assert.equal(inside.length, 90);
}

/** Ten transactions of three entries each, with pauses inside, and thirty plain writes, all at once. */
async function manyTransactions(owner) {
  const transaction = (n) =>
    db.transaction(async (tx) => {
      for (let part = 0; part < 3; part++) {
        await tx.run('INSERT INTO entry (owner) VALUES (?)', [`${owner}-${n}`]);
        await harness.sleep((n * 7 + part * 5) % 12);
      }
    });
  const work = [];
  for (let n = 0; n < 10; n++) work.push(transaction(n));
  for (let n = 0; n < 30; n++) work.push(db.run('INSERT INTO entry (owner) VALUES (?)', [owner]));
  await Promise.all(work);
}

async function readsGoOn(_host, a, b) {
  await b.run(() => db.run("INSERT INTO entry (owner) VALUES ('before')"));
  await hold(a, 'a');
  assert.deepEqual(await within(2_000, 'a read beside an open transaction', owners(b)), ['before']);
  const inside = await b.run(() => db.transaction((tx) => tx.all('SELECT owner FROM entry'), { mode: 'read' }));
  assert.deepEqual(inside, [{ owner: 'before' }]);
  assert.equal(await a.run(() => db.metrics().then((metrics) => metrics.transactions_open)), 1);
  await release(a);
  assert.deepEqual(await owners(b), ['before', 'a', 'a']);
}

async function keepsSnapshot(_host, a, b) {
  await b.run(() => db.run("INSERT INTO entry (owner) VALUES ('before')"));
  await a.run(async () => {
    const held = (globalThis.held = { counts: [] });
    const released = new Promise((resolve) => (held.release = resolve));
    const count = async (tx) => held.counts.push((await tx.get('SELECT count(*) AS n FROM entry')).n);
    await new Promise((resolve, reject) => {
      const read = async (tx) => {
        await count(tx);
        resolve();
        await released;
        await count(tx);
      };
      held.done = db.transaction(read, { mode: 'read' });
      held.done.catch(reject);
    });
  });
  await within(2_000, 'a write beside a read transaction', b.run(() => db.run("INSERT INTO entry (owner) VALUES ('after')")));
  await release(a);
  assert.deepEqual(await a.run(() => held.counts), [1, 1]);
  assert.deepEqual(await owners(a), ['before', 'after']);
  const write = a.run(() => db.transaction((tx) => tx.run("INSERT INTO entry (owner) VALUES ('x')"), { mode: 'read' }));
  await assert.rejects(write, { code: 'HUB_REFUSED' });
}

async function rollsBack(_host, a, b) {
  const same = await a.run(async () => {
    const reason = new Error('changed my mind');
    const work = async (tx) => {
      await tx.run("INSERT INTO entry (owner) VALUES ('a')");
      throw reason;
    };
    return db.transaction(work).then(
      () => 'committed',
      (error) => error === reason,
    );
  });
  assert.equal(same, true);
  assert.deepEqual(await owners(b), []);
}

async function survivesFailedStatement(_host, a, b) {
  const code = await a.run(() =>
    db.transaction(async (tx) => {
      await tx.run("INSERT INTO entry (id, owner) VALUES (1000, 'first')");
      const error = await tx.run("INSERT INTO entry (id, owner) VALUES (1000, 'twice')").catch((error) => error);
      await tx.run("INSERT INTO entry (owner) VALUES ('second')");
      return error.code;
    }),
  );
  assert.equal(code, 'SQLITE_CONSTRAINT_PRIMARYKEY');
  assert.deepEqual(await owners(b), ['first', 'second']);
}

async function timesOut(_host, a, b) {
  await hold(a, 'a', { timeout: 400 });
  const written = b.run(() => db.run("INSERT INTO entry (owner) VALUES ('b')"));
  await within(400 + ROLLBACK_MS, 'the write behind an idle transaction', written);
  await assert.rejects(release(a), { name: 'HubError', code: 'HUB_TRANSACTION_TIMEOUT', outcome: 'not-applied' });
  const onlyCommit = a.run(() => db.transaction(() => harness.sleep(600), { timeout: 200 }));
  await assert.rejects(onlyCommit, { code: 'HUB_TRANSACTION_TIMEOUT' });
  // Not idle: each statement starts the time again.
  await a.run(async () => {
    const work = async (tx) => {
      for (let n = 0; n < 5; n++) {
        await tx.get('SELECT 1');
        await harness.sleep(150);
      }
      await tx.run("INSERT INTO entry (owner) VALUES ('patient')");
    };
    await db.transaction(work, { timeout: 500 });
  });
  assert.deepEqual(await owners(b), ['b', 'patient']);
}

async function isAborted(_host, a, b) {
  await a.run(() => {
    globalThis.abort = new AbortController();
  });
  const aborted = a.run(() => {
    const work = async (tx) => {
      await tx.run("INSERT INTO entry (owner) VALUES ('a')");
      setTimeout(() => abort.abort(), 50);
      await harness.sleep(300);
      await tx.run("INSERT INTO entry (owner) VALUES ('a')");
    };
    return db.transaction(work, { signal: abort.signal });
  });
  await assert.rejects(aborted, { code: 'HUB_CANCELLED', outcome: 'not-applied' });
  await within(ROLLBACK_MS, 'a write after an aborted transaction', b.run(() => db.run("INSERT INTO entry (owner) VALUES ('b')")));
  assert.deepEqual(await owners(b), ['b']);
}

async function dies(world, survivor, die) {
  const victim = await world.tab('transactions.db');
  await hold(victim, 'victim', { timeout: 60_000 });
  const written = survivor.run(() => db.run("INSERT INTO entry (owner) VALUES ('survivor')"));
  await sleep(100);
  await die(victim);
  await within(ROLLBACK_MS, 'the write behind a dead transaction', written);
  assert.deepEqual(await owners(survivor), ['survivor']);
}

async function leavesNothing(tab) {
  const { transactions_open, sessions, cursors_open } = await tab.run(() => db.metrics());
  assert.deepEqual({ transactions_open, sessions, cursors_open }, { transactions_open: 0, sessions: 3, cursors_open: 0 });
  assert.deepEqual(await tab.run(() => db.all('PRAGMA integrity_check')), [{ integrity_check: 'ok' }]);
}
