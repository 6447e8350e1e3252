// At stake: apps that were written for the ancestor. Its example flows, in two tabs, with only the import line changed.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bundleAdapters } from './adapters/bundle.mjs';
import { EVERY_ENGINE } from './engines.mjs';
import { byTurns } from './rounds.mjs';
import { withWorld } from './world.mjs';

const page = 'adapters.html';
const SEEN_MS = 10_000;

for (const { engine, skip } of byTurns(EVERY_ENGINE)) {
  test(`the ancestor's API in two tabs of ${engine}`, { timeout: 180_000, skip }, async (t) => {
    await withWorld(t, async (world) => {
      const [a, b] = [await world.tab(null, { page }), await world.tab(null, { page })];
      await a.run(init);
      await world.step('export, import, delete and list', () => files(a));
      await world.step('the first tab is the leader, and each can ask to be', () => leaders(a, b));
      await world.step('every tab writes, and the others refresh', () => refreshes(a, b));
      await world.step('a write of another tab is queued behind an open transaction, until its deadline', () => queues(a, b));
      await world.step('values and results have the shape they had', async () => assert.deepEqual(await a.run(values), VALUES));
      await world.step('what is wrong is said', async () => assert.deepEqual(await a.run(mistakes), MISTAKES));
      await world.step('another leads when the leader closes', () => closes(a, b));
    }, { engine, mounts: await bundleAdapters() });
  });
}

test('where a tab hosts the hub, it is the leader', { timeout: 60_000 }, async (t) => {
  await withWorld(t, async (world) => {
    const [a, b] = [await world.tab(null, { page }), await world.tab(null, { page })];
    for (const tab of [a, b]) await tab.run(open, { name: 'hosted.db', options: { mode: 'leader' } });
    const [first, second] = [await a.run(() => db.getLeaderInfo()), await b.run(() => db.getLeaderInfo())];
    assert.deepEqual([first.isLeader, second.isLeader, first.leaderId === second.leaderId], [true, false, true]);
    await b.run(() => db.requestLeadership());
    assert.equal(await b.run(() => db.isLeader()), false, 'the hub stays where it is');
    await a.close();
    await b.run(() => db.waitForLeadership(30_000));
    assert.equal(await b.run(() => db.isLeader()), true);
    await b.run(() => db.close());
  }, { mounts: await bundleAdapters() });
});

test('with relaxed durability, sync() asks for the flush', { timeout: 60_000 }, async (t) => {
  await withWorld(t, async (world) => {
    const tab = await world.tab(null, { page });
    await tab.run(open, { name: 'relaxed.db', options: { durability: 'relaxed' } });
    assert.deepEqual(await tab.run(relaxed), { commits: 1, version: 7, rows: 1 });
  }, { mounts: await bundleAdapters() });
});

async function leaders(a, b) {
  for (const tab of [a, b]) await tab.run(open, { name: 'leaders.db' });
  assert.deepEqual([await a.run(() => db.isLeader()), await b.run(() => db.isLeader())], [true, false]);
  const [first, second] = [await a.run(() => db.getLeaderInfo()), await b.run(() => db.getLeaderInfo())];
  assert.deepEqual([first.isLeader, second.isLeader], [true, false]);
  assert.ok(first.leaderId.length > 0 && first.leaderId === second.leaderId, 'both know the leader');
  assert.ok(second.leaseExpiry > Date.now() - 60_000);
  await assert.rejects(b.run(() => db.waitForLeadership(200)), { code: 'HUB_TIMEOUT', message: /another tab is the leader, for 200 ms/ });
  // The tab that it is taken from has its hands full, and no time to hear of it before it is asked.
  const busy = a.run(() => {
    for (const until = Date.now() + 1_000; Date.now() < until;);
    return db.isLeader();
  });
  await b.run(() => db.requestLeadership());
  assert.deepEqual([await busy, await b.run(() => db.isLeader())], [false, true]);
  await b.run(() => db.close());
  await a.run(() => db.waitForLeadership());
  await a.run(() => db.close());
}

async function refreshes(a, b) {
  for (const tab of [a, b]) await tab.run(openMultiTab);
  await a.run(() => db.execute('CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT, price REAL)'));
  assert.equal(await b.run((ms) => harness.until(ms, () => refreshed.item === 0), SEEN_MS), true, 'it was told of the table');
  await b.run(() => { delete refreshed.item; });
  const written = await b.run(() => db.write('INSERT INTO item (name, price) VALUES (?, ?)', ['Widget', 19.99]));
  assert.deepEqual([written.affectedRows, written.lastInsertId, written.rows, written.columns], [1, 1, [], []]);
  assert.ok(written.executionTimeMs > 0);
  assert.equal(await a.run((ms) => harness.until(ms, () => refreshed.item === 1), SEEN_MS), true, 'it was told of the row');
  assert.equal(await b.run(() => refreshed.item), undefined, 'its own write it was not told of');
  await a.run(() => db.offRefresh(refresh));
  await b.run(() => db.write("INSERT INTO item (name) VALUES ('Gadget')"));
  const { rows } = await a.run(() => db.query('SELECT count(*) FROM item'));
  assert.deepEqual(rows, [{ values: [{ type: 'Integer', value: 2 }] }]);
  assert.equal(await a.run(() => refreshed.item), 1);
}

async function queues(a, b) {
  await a.run(async () => {
    await db.execute('BEGIN TRANSACTION');
    await db.execute("INSERT INTO item (name) VALUES ('in the transaction')");
  });
  await assert.rejects(b.run(() => db.queueWriteWithTimeout("INSERT INTO item (name) VALUES ('too late')", 300)), { code: 'HUB_TIMEOUT', outcome: 'not-applied' });
  const queued = b.run(() => db.queueWrite("INSERT INTO item (name) VALUES ('queued')"));
  await a.run(async () => {
    await db.execute('SAVEPOINT before');
    await db.execute('DELETE FROM item');
    await db.execute('ROLLBACK TO before');
    await db.execute('COMMIT');
  });
  await queued;
  await a.run(async () => {
    await db.execute('BEGIN');
    await db.execute('DELETE FROM item');
    await db.execute('ROLLBACK');
    await db.sync();
  });
  const { rows } = await b.run(() => db.query('SELECT name FROM item WHERE id > 2 ORDER BY id'));
  assert.deepEqual(rows.map(({ values: [{ value }] }) => value), ['in the transaction', 'queued']);
}

async function files(tab) {
  const { exported, imported, before, after, code } = await tab.run(exportAndImport);
  assert.equal(exported, 'SQLite format 3\0');
  assert.deepEqual(imported, ['Alice', 'Bob']);
  assert.deepEqual([before, after], [['copy.db', 'original.db'], ['original.db']]);
  assert.equal(code, 'HUB_NOT_A_DATABASE');
}

async function closes(a, b) {
  assert.deepEqual([await a.run(() => db.isLeader()), await b.run(() => db.isLeader())], [true, false]);
  await a.close();
  await b.run(() => db.waitForLeadership());
  await b.run(() => db.write("INSERT INTO item (name) VALUES ('after it')"));
  await b.run(() => db.close());
  await assert.rejects(b.run(() => db.query('SELECT 1')), { code: 'HUB_CLOSED', message: /await init\(\) first/ });
}

const VALUES = {
  columns: ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'],
  values: [
    { type: 'Null' }, { type: 'Integer', value: 7 }, { type: 'Real', value: 2 }, { type: 'Text', value: 'text' }, { type: 'Blob', value: [1, 255] },
    { type: 'BigInt', value: '9223372036854775807' }, { type: 'Date', value: 1_700_000_000_000 }, { type: 'BigInt', value: '123456789012345678901234567890' },
  ],
  plain: [{ type: 'Integer', value: 1 }, { type: 'Real', value: 0.5 }, { type: 'Text', value: 'plain' }],
  script: { affectedRows: 1, columns: [] },
};

const MISTAKES = ['HUB_TRANSACTION_CONTROL', 'HUB_TRANSACTION_CONTROL', 'HUB_TRANSACTION_NESTED', 'HUB_BAD_VALUE', 'HUB_BAD_REQUEST', 'HUB_BAD_REQUEST', 'SQLITE_ERROR', 'HUB_BAD_OPTION'];

/* These run in the page. */
async function init() {
  await compat.default();
}

async function open({ name, options }) {
  await compat.default(options);
  globalThis.db = await compat.Database.newDatabase(name);
}

async function openMultiTab() {
  await compat.default();
  globalThis.refreshed = {};
  globalThis.refresh = async () => {
    refreshed.item = (await db.query('SELECT count(*) FROM item')).rows[0].values[0].value;
  };
  globalThis.db = new compat.MultiTabDatabase(compat.Database, 'multi.db', { autoSync: true, waitForLeadership: false });
  await db.init();
  db.onRefresh(refresh);
}

async function exportAndImport() {
  const { Database } = compat;
  const original = await Database.newDatabase('original.db');
  await original.execute('CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT)');
  await original.execute("INSERT INTO users (name) VALUES ('Alice'), ('Bob')");
  const file = await original.exportToFile();
  const copy = await Database.newDatabase('copy.db');
  await copy.importFromFile(file);
  const result = await copy.execute('SELECT name FROM users ORDER BY id');
  const { code } = await copy.importFromFile(new Uint8Array(4096)).catch((error) => error);
  const before = await Database.getAllDatabases();
  await copy.close();
  await original.close();
  await Database.deleteDatabase('copy.db');
  const exported = new TextDecoder().decode(file.subarray(0, 16));
  return { exported, imported: result.rows.map((row) => row.values[0].value), before, after: await Database.getAllDatabases(), code };
}

async function values() {
  await db.execute('CREATE TABLE value (a, b INTEGER, c REAL, d TEXT, e BLOB, f INTEGER, g TEXT, h TEXT)');
  const typed = [
    { type: 'Null' }, { type: 'Integer', value: 7 }, { type: 'Real', value: 2 }, { type: 'Text', value: 'text' }, { type: 'Blob', value: [1, 255] },
    { type: 'BigInt', value: '9223372036854775807' }, { type: 'Date', value: 1_700_000_000_000 }, { type: 'BigInt', value: '123456789012345678901234567890' },
  ];
  await db.execute('INSERT INTO value VALUES (?, ?, ?, ?, ?, ?, ?, ?)', typed);
  const { columns, rows: [{ values }] } = await db.query('SELECT * FROM value');
  const plain = (await db.query('SELECT ?, ?, ?', [1, 0.5, 'plain'])).rows[0].values;
  const { affectedRows, columns: none } = await db.execute('CREATE TABLE one (x); INSERT INTO one VALUES (1)');
  await db.execute('BEGIN; INSERT INTO one VALUES (2); COMMIT');
  return { columns, values, plain, script: { affectedRows, columns: none } };
}

async function mistakes() {
  const codeOf = (promise) => promise.then(() => 'nothing', ({ code }) => code);
  const thrown = (work) => { try { work(); return 'nothing'; } catch ({ code }) { return code; } };
  const codes = [await codeOf(db.execute('COMMIT')), await codeOf(db.execute('ROLLBACK'))];
  await db.execute('BEGIN');
  codes.push(await codeOf(db.execute('BEGIN')));
  await db.execute('ROLLBACK');
  codes.push(await codeOf(db.execute('SELECT ?', [{ type: 'Decimal', value: 1 }])), thrown(() => db.onRefresh(7)), await codeOf(db.allowNonLeaderWrites('yes')));
  codes.push(await codeOf(db.execute('SELECT * FROM nowhere')));
  await compat.default({ speed: 'more' });
  codes.push(await codeOf(compat.Database.newDatabase('never.db')));
  await compat.default();
  return codes;
}

async function relaxed() {
  await db.execute('CREATE TABLE item (x)');
  await db.execute('PRAGMA user_version = 7');
  void db.execute('INSERT INTO item VALUES (1)');
  const commits = async () => (await db.tabhub.metrics()).commits;
  await db.tabhub.all('SELECT * FROM item');
  await db.sync();
  const before = await commits();
  await db.sync();
  const { user_version } = await db.tabhub.get('PRAGMA user_version');
  const { n } = await db.tabhub.get('SELECT count(*) AS n FROM item');
  return { commits: await commits() - before, version: user_version, rows: n };
}
