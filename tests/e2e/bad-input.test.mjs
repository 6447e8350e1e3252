// At stake: whatever a caller gets wrong, he is told what by a stable code, and the database is none the worse for it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { within } from './deadline.mjs';
import { REFUSALS, SCHEMA } from './refusals.mjs';
import { withWorld } from './world.mjs';

test('bad input gets its typed error and leaves the database unharmed', { timeout: 300_000 }, async (t) => {
  await withWorld(t, async (world) => {
    const [tab, other] = await world.tabs(2, 'control.db');
    await tab.run((schema) => db.exec(schema), SCHEMA);
    const before = await state(tab);
    for (const [group, cases] of Object.entries(REFUSALS)) {
      for (const wrong of cases) {
        await world.step(`${group}: ${wrong.name}`, async () => {
          await isRefused(tab, wrong);
          await isUnharmed(tab, other, before);
        });
      }
    }
    await world.step('odd but legal values are stored as SQLite stores them', () => storesOddValues(tab));
    await world.step('a transaction goes on after a refused statement', () => goesOn(tab, other));
    await world.step('other tabs go on after an endless query', () => isPatient(tab, other));
    await world.step('use after close', () => isClosed(tab));
    await world.step('another tab works on, and a closed one can open again', async () => {
      await tab.run(async () => void (globalThis.db = await tabhub.open('control.db')));
      await isUnharmed(other, tab, before);
    });
  });
});

async function isRefused(tab, { run, argument, code, message, check }) {
  const error = await tab.run(run, argument, 20_000).then(
    (value) => assert.fail(`it answered ${inspect(value)} instead of ${code}`),
    (error) => error,
  );
  assert.equal(error.name, 'HubError', error.stack);
  assert.equal(error.code, code, error.message);
  assert.equal(error.outcome, 'not-applied');
  assert.ok(error.message.length > 8, 'the message says something');
  if (message) assert.match(error.message, message);
  if (check) assert.equal(check(error), true);
}

/** What no refused call may change. */
const state = (tab) =>
  tab.run(async () => ({
    control: await db.all('SELECT * FROM control ORDER BY id'),
    child: await db.all('SELECT * FROM child ORDER BY id'),
    schema: await db.all('SELECT type, name, sql FROM sqlite_schema ORDER BY name'),
  }));

async function isUnharmed(tab, other, before) {
  assert.deepEqual(await state(other), before);
  assert.deepEqual(await tab.run(() => db.all('SELECT * FROM scratch')), [], 'nothing of the refused call was stored');
  const written = await tab.run(() => db.run("INSERT INTO scratch (v) VALUES ('works')"));
  assert.equal(written.changes, 1);
  assert.deepEqual(await other.run(() => db.all('DELETE FROM scratch RETURNING v')), [{ v: 'works' }]);
  assert.deepEqual(await tab.run(() => db.all('PRAGMA integrity_check')), [{ integrity_check: 'ok' }]);
}

async function storesOddValues(tab) {
  const stored = await tab.run(() =>
    db.get(
      `SELECT typeof(:nan) AS nan, :infinity AS infinity, typeof(:truth) || :truth AS truth, :largest AS largest, :unsafe AS unsafe, :safe AS safe,
        :empty AS empty, typeof(:bytes) || hex(:bytes) AS bytes, :day AS day, :text AS text, x'' AS void, :view AS view`,
      {
        nan: NaN, infinity: -Infinity, truth: true, largest: 2n ** 63n - 1n, unsafe: 2n ** 53n, safe: 5n, empty: '', bytes: new Uint8Array([0, 255]),
        day: new Date(0), text: 'a\u0000b 🙂', view: new DataView(new Uint8Array([9, 8, 7]).buffer, 1, 1),
      },
    ),
  );
  assert.deepEqual(stored, {
    nan: 'null', infinity: -Infinity, truth: 'integer1', largest: 2n ** 63n - 1n, unsafe: 2n ** 53n, safe: 5, empty: '', bytes: 'blob00FF',
    day: '1970-01-01T00:00:00.000Z', text: 'a\u0000b 🙂', void: new Uint8Array(), view: new Uint8Array([8]),
  });
  const modes = await tab.run(async () => [
    await db.all('SELECT 9007199254740993 AS n', [], { bigint: 'number', rowMode: 'array' }),
    await db.all('SELECT 1 AS n', [], { bigint: 'bigint' }),
    await db.all('SELECT 1 AS a, 2 AS a', [], { rowMode: 'array' }),
  ]);
  assert.deepEqual(modes, [[[9007199254740992]], [{ n: 1n }], [[1, 2]]]);
}

async function goesOn(tab, other) {
  const codes = await tab.run(() =>
    db.transaction(async (tx) => {
      await tx.run("INSERT INTO scratch (v) VALUES ('first')");
      const codes = [];
      for (const sql of ['COMMIT', "ATTACH ':memory:' AS x", 'SELEKT', 'PRAGMA journal_mode = WAL']) {
        codes.push(await tx.query(sql).then(() => 'done', (error) => error.code));
      }
      await tx.run("INSERT INTO scratch (v) VALUES ('second')");
      return codes;
    }),
  );
  assert.deepEqual(codes, ['HUB_TRANSACTION_CONTROL', 'HUB_REFUSED', 'SQLITE_ERROR', 'HUB_REFUSED']);
  assert.deepEqual(await other.run(() => db.all('SELECT v FROM scratch ORDER BY id')), [{ v: 'first' }, { v: 'second' }]);
  await other.run(() => db.run('DELETE FROM scratch'));
}

async function isPatient(tab, other) {
  const endless = tab.run(() => db.all(harness.endless, [], { timeout: 1_500 }).then(() => 'done', (error) => error.code));
  const during = other.run(async () => {
    await db.get('SELECT count(*) AS n FROM control');
    await db.run("INSERT INTO scratch (v) VALUES ('meanwhile')");
    await db.run('DELETE FROM scratch');
    return true;
  });
  assert.equal(await within(10_000, 'another tab beside an endless query', during), true);
  assert.equal(await endless, 'HUB_TIMEOUT');
}

async function isClosed(tab) {
  await tab.run(() => db.close());
  await tab.run(() => db.close());
  const codes = await tab.run(async () => {
    const iterate = async () => {
      for await (const _ of db.iterate('SELECT 1'));
    };
    const calls = [
      ...['query', 'all', 'get', 'run', 'exec'].map((name) => () => db[name]('SELECT 1')),
      () => db.sql`SELECT 1`,
      () => db.batch(['SELECT 1']),
      () => db.transaction(async () => {}),
      () => db.prepare('SELECT 1').all(),
      () => db.import(new Uint8Array(512)),
      () => db.export(),
      () => db.metrics(),
      iterate,
    ];
    const codes = [];
    // A call that throws instead of rejecting would be a second way to fail.
    for (const call of calls) codes.push(await Promise.resolve(call()).then(() => 'done', (error) => error.code));
    return codes;
  });
  assert.deepEqual(codes, Array(13).fill('HUB_CLOSED'));
  assert.equal(await tab.run(() => db.status.state), 'closed');
}
