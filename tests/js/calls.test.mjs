/** Each public call: what it sends, what it makes of the answer, what it refuses. */
import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { documented } from './documented.mjs';
import { createWorld, done, noRows, rejects, settle, test } from './world.mjs';

const COLUMNS = [{ name: 'id', type: 'INTEGER' }, { name: 'name', type: 'TEXT' }];
const two = { rows: { columns: COLUMNS, rows: 2, changes: 0, last_insert_rowid: '4' } };
const TWO = [[{ integer: '1' }, { text: 'Ada' }, { integer: '9007199254740993' }, null]];
const answerTwo = { query: ({ id }, hub) => hub.reply(id, two, TWO) };
const answerNone = { query: ({ id }, hub) => hub.reply(id, noRows, [[]]), batch: ({ id }, hub) => hub.reply(id, { results: { results: [] } }) };

test('query sends SQL, parameters and options, and answers rows and columns', async t => {
  const world = createWorld(t, answerTwo);
  const db = await world.open();
  const result = await db.query('SELECT * FROM u WHERE id > ?', [0], { durability: 'relaxed', timeout: 10.2 });
  assert.deepEqual(result, { rows: [{ id: 1, name: 'Ada' }, { id: 9007199254740993n, name: null }], columns: COLUMNS, changes: 0, lastInsertRowid: 4 });
  const { op, blocks } = await world.hub.take('query');
  assert.deepEqual(op, { query: { sql: 'SELECT * FROM u WHERE id > ?', params: { count: 1 }, durability: 'relaxed', timeout: 11 } });
  assert.deepEqual(blocks, [[{ integer: '0' }]]);
});

test('rowMode and bigint shape the rows', async t => {
  const db = await createWorld(t, answerTwo).open();
  assert.deepEqual(await db.all('SELECT 1', [], { rowMode: 'array', bigint: 'bigint' }), [[1n, 'Ada'], [9007199254740993n, null]]);
  assert.deepEqual(await db.all('SELECT 1', [], { rowMode: 'array', bigint: 'number' }), [[1, 'Ada'], [9007199254740992, null]]);
});

test('all, get and run are views of query', async t => {
  const db = await createWorld(t, answerTwo).open();
  assert.equal((await db.all('SELECT 1')).length, 2);
  assert.deepEqual(await db.get('SELECT 1'), { id: 1, name: 'Ada' });
  assert.deepEqual(await db.run('SELECT 1'), { changes: 0, lastInsertRowid: 4 });
});

test('get answers undefined where there is no row', async t => {
  const db = await createWorld(t, answerNone).open();
  assert.equal(await db.get('SELECT 1 WHERE 0'), undefined);
});

test('a rowid beyond 2^53 is a bigint', async t => {
  const db = await createWorld(t, { query: ({ id }, hub) => hub.reply(id, { rows: { ...noRows.rows, last_insert_rowid: '9223372036854775807' } }, [[]]) }).open();
  assert.equal((await db.run('INSERT')).lastInsertRowid, 9223372036854775807n);
  assert.equal((await db.run('INSERT', [], { bigint: 'number' })).lastInsertRowid, 2 ** 63);
});

test('a column named __proto__ is a property like any other, and of equal names the last wins', async t => {
  const columns = [{ name: '__proto__', type: null }, { name: 'a', type: null }, { name: 'a', type: null }];
  const db = await createWorld(t, { query: ({ id }, hub) => hub.reply(id, { rows: { columns, rows: 1, changes: 0, last_insert_rowid: '0' } }, [[{ text: 'p' }, { integer: '1' }, { integer: '2' }]]) }).open();
  const row = await db.get('SELECT 1');
  assert.equal(Object.getPrototypeOf(row), Object.prototype);
  assert.deepEqual(Object.entries(row), [['__proto__', 'p'], ['a', 2]]);
});

test('the sql tag binds what stands in it', async t => {
  const world = createWorld(t, answerTwo);
  const db = await world.open();
  await db.sql`SELECT * FROM u WHERE id = ${7} AND name = ${'x'}`;
  const { op, blocks } = await world.hub.take('query');
  assert.equal(op.query.sql, 'SELECT * FROM u WHERE id =  ?  AND name =  ? ');
  assert.deepEqual(blocks, [[{ integer: '7' }, { text: 'x' }]]);
  assert.match((await rejects(db.sql('SELECT 1'), 'HUB_BAD_REQUEST')).message, /template/);
});

test('every kind of value is bound as documented', async t => {
  const world = createWorld(t, answerNone);
  const db = await world.open();
  await db.run('X', [null, true, false, 1, -0, 0.5, 1e300, 2 ** 53, 5n, -(2n ** 63n), 'é', new Date(0), Uint8Array.of(1), Uint8Array.of(2).buffer, new DataView(Uint8Array.of(3, 4).buffer, 1), Uint16Array.of(258)]);
  assert.deepEqual((await world.hub.take('query')).blocks, [[
    null, { integer: '1' }, { integer: '0' }, { integer: '1' }, { integer: '0' }, { real: '0.5' }, { real: '1e+300' }, { real: '9007199254740992' },
    { integer: '5' }, { integer: '-9223372036854775808' }, { text: 'é' }, { text: '1970-01-01T00:00:00.000Z' }, { blob: '01' }, { blob: '02' }, { blob: '04' }, { blob: '0201' },
  ]]);
});

test('named parameters travel with their names, a single value as the one positional', async t => {
  const world = createWorld(t, answerNone);
  const db = await world.open();
  await db.run('X', { id: 7, ':name': 'x' });
  const named = await world.hub.take('query');
  assert.deepEqual(named.op.query.params, { count: 2, names: ['id', ':name'] });
  assert.deepEqual(named.blocks, [[{ integer: '7' }, { text: 'x' }]]);
  await db.run('X', 7);
  const single = await world.hub.take('query');
  assert.deepEqual([single.op.query.params, single.blocks], [{ count: 1 }, [[{ integer: '7' }]]]);
});

for (const [label, params, offender] of [
  // biome-ignore lint/suspicious/noSparseArray: the hole is what is tested.
  ['undefined in an array', [1, undefined], 'parameter 2'], ['a hole', [, 1], 'parameter 1'], ['undefined under a name', { a: undefined }, "parameter 'a'"],
  ['a function', [() => 1], 'parameter 1'], ['a symbol', [Symbol('s')], 'parameter 1'], ['an object', [{}], 'parameter 1'], ['an array in an array', [[1]], 'parameter 1'],
  ['a Map', new Map(), 'Map'], ['an invalid Date', [new Date(NaN)], 'invalid Date'], ['a bigint too large', [2n ** 63n], '64-bit'], ['a bigint too small', [-(2n ** 63n) - 1n], '64-bit'],
  ['half a surrogate pair', ['\ud800'], 'surrogate'], ['a promise', [Promise.resolve(1)], 'Promise'],
]) {
  test(`${label} is refused as a parameter and named`, async t => {
    const world = createWorld(t);
    const db = await world.open();
    for (const call of [db.query('SELECT ?', params), db.iterate('SELECT ?', params).next(), db.batch([['SELECT ?', params]])]) {
      const error = await rejects(call, 'HUB_BAD_VALUE');
      assert.ok(error.message.includes(offender), error.message);
      assert.equal(error.sql, 'SELECT ?');
    }
    assert.equal(world.hub.received.length, 1, 'only hello was sent');
  });
}

test('an object as a parameter is refused with the way to store it', async t => {
  const db = await createWorld(t).open();
  documented('HUB_BAD_VALUE', await rejects(db.query('SELECT ?', [{}]), 'HUB_BAD_VALUE'));
});

test('half a surrogate pair in a name or in the SQL is refused before it can become another text', async t => {
  const db = await createWorld(t).open();
  await rejects(db.query('SELECT :a', { '\ud800': 1 }), 'HUB_BAD_VALUE');
  await rejects(db.query("SELECT '\ud800'"), 'HUB_BAD_REQUEST');
  await rejects(db.exec("SELECT '\udc00'"), 'HUB_BAD_REQUEST');
});

test('SQL that is no string is refused by every call', async t => {
  const db = await createWorld(t).open();
  for (const sql of [undefined, null, 7, ['SELECT 1']]) {
    for (const call of [() => db.query(sql), () => db.exec(sql), () => db.iterate(sql).next(), async () => db.prepare(sql), () => db.batch([[sql]])]) await rejects(call(), 'HUB_BAD_REQUEST');
  }
});

test('unknown and unfit options are refused by every call, by name', async t => {
  const db = await createWorld(t).open();
  const bad = { rowmode: 'array' };
  for (const call of [
    db.query('X', [], bad), db.all('X', [], bad), db.get('X', [], bad), db.run('X', [], bad), db.exec('X', bad), db.batch([], bad), db.iterate('X', [], bad).next(),
    db.prepare('X').all([], bad), db.transaction(() => 1, bad), db.import(new ArrayBuffer(1), bad), db.export(bad), db.check(bad), db.salvage(bad), db.metrics(bad),
  ]) assert.match((await rejects(call, 'HUB_BAD_OPTION')).message, /'rowmode'/);
  assert.throws(() => db.exportStream(bad), { code: 'HUB_BAD_OPTION' });
  for (const options of [{ timeout: 0 }, { timeout: -1 }, { timeout: NaN }, { timeout: Infinity }, { timeout: '5' }, { signal: {} }, { rowMode: 'map' }, { bigint: true }, { durability: 'lax' }]) {
    const [name] = Object.keys(options);
    assert.ok((await rejects(db.query('X', [], options), 'HUB_BAD_OPTION')).message.includes(`'${name}'`));
  }
  assert.match((await rejects(db.exec('X', { rowMode: 'array' }), 'HUB_BAD_OPTION')).message, /rowMode/);
});

test('exec sends the script and answers changes', async t => {
  const world = createWorld(t, { exec: ({ id }, hub) => hub.reply(id, { done: { changes: 3, last_insert_rowid: '9' } }) });
  const db = await world.open();
  assert.deepEqual(await db.exec('A; B', { durability: 'strict', timeout: 50 }), { changes: 3, lastInsertRowid: 9 });
  assert.deepEqual((await world.hub.take('exec')).op, { exec: { sql: 'A; B', durability: 'strict', timeout: 50 } });
});

test('batch sends all statements in one message and answers one result each', async t => {
  const results = [noRows.rows, two.rows];
  const world = createWorld(t, { batch: ({ id }, hub) => hub.reply(id, { results: { results } }, [[], ...TWO]) });
  const db = await world.open();
  const [first, second] = await db.batch([['INSERT INTO u VALUES (:a)', { a: 1 }], 'SELECT * FROM u'], { rowMode: 'array' });
  assert.deepEqual([first.rows, second.rows], [[], [[1, 'Ada'], [9007199254740993n, null]]]);
  const { op, blocks } = await world.hub.take('batch');
  assert.deepEqual(op.batch.statements, [{ sql: 'INSERT INTO u VALUES (:a)', params: { count: 1, names: ['a'] } }, { sql: 'SELECT * FROM u', params: { count: 0 } }]);
  assert.deepEqual(blocks, [[{ integer: '1' }], []]);
});

test('a statement that is repeated in a batch is sent once, with the parameters of all times', async t => {
  const effects = { columns: [], rows: 0, changes: 0, last_insert_rowid: '0', times: 3 };
  const numbers = [1n, 7n, 0n, 7n, 1n, 2n ** 60n].map(integer => ({ integer: String(integer) }));
  const world = createWorld(t, { batch: ({ id }, hub) => hub.reply(id, { results: { results: [effects, noRows.rows, noRows.rows] } }, [numbers, [], []]) });
  const db = await world.open();
  const results = await db.batch([['INSERT', [1, 'a']], ['INSERT', [2, 'b']], ['INSERT', [3, 'ü']], ['INSERT', [4]], ['INSERT', { a: 5 }]]);
  assert.deepEqual(results.slice(0, 3), [[1, 7], [0, 7], [1, 2n ** 60n]].map(([changes, lastInsertRowid]) => ({ rows: [], columns: [], changes, lastInsertRowid })));
  assert.equal(results.length, 5);
  const { op, blocks } = await world.hub.take('batch');
  assert.deepEqual(op.batch.statements, [{ sql: 'INSERT', params: { count: 2 }, times: 3 }, { sql: 'INSERT', params: { count: 1 } }, { sql: 'INSERT', params: { count: 1, names: ['a'] } }]);
  assert.deepEqual(blocks, [[{ integer: '1' }, { text: 'a' }, { integer: '2' }, { text: 'b' }, { integer: '3' }, { text: 'ü' }], [{ integer: '4' }], [{ integer: '5' }]]);
});

test('a batch that is none is refused, its bad statement by number', async t => {
  const db = await createWorld(t).open();
  await rejects(db.batch('SELECT 1'), 'HUB_BAD_REQUEST');
  assert.match((await rejects(db.batch(['SELECT 1', ['SELECT ?, ?', 1, 2]]), 'HUB_BAD_REQUEST')).message, /statement 1/);
  assert.equal((await rejects(db.batch(['SELECT 1', ['SELECT ?', [undefined]]]), 'HUB_BAD_VALUE')).index, 1);
});

test('a prepared statement runs until it is finalized', async t => {
  const world = createWorld(t, answerTwo);
  const st = (await world.open()).prepare('SELECT ?');
  assert.equal((await st.all([1])).length, 2);
  assert.deepEqual(await st.get([1]), { id: 1, name: 'Ada' });
  assert.deepEqual(await st.run(1), { changes: 0, lastInsertRowid: 4 });
  st.finalize();
  for (const call of [st.all(), st.get(), st.run(), (async () => st.iterate())()]) await rejects(call, 'HUB_CLOSED');
});

test("the hub's error arrives whole, with the SQL", async t => {
  const wire = { code: 'SQLITE_ERROR', message: 'near "FORM": syntax error', outcome: 'not-applied', sqlite: 1, offset: 9 };
  const world = createWorld(t, { query: ({ id }, hub) => hub.reply(id, { error: wire }), batch: ({ id }, hub) => hub.reply(id, { error: { ...wire, sql: 'B', index: 1 } }) });
  const db = await world.open();
  const error = await rejects(db.query('SELECT * FORM t'), 'SQLITE_ERROR');
  assert.deepEqual({ ...error, message: error.message }, { name: 'HubError', code: 'SQLITE_ERROR', message: wire.message, outcome: 'not-applied', sqlite: 1, offset: 9, sql: 'SELECT * FORM t' });
  assert.ok(error instanceof Error);
  const { sql, index } = await rejects(db.batch(['A', 'B']), 'SQLITE_ERROR');
  assert.deepEqual({ sql, index }, { sql: 'B', index: 1 });
});

test('an answer of the wrong kind is a protocol error, not a wrong result', async t => {
  const db = await createWorld(t, { query: ({ id }, hub) => hub.reply(id, done) }).open();
  assert.match((await rejects(db.query('SELECT 1'), 'HUB_PROTOCOL')).message, /'done' instead of 'rows'/);
});

test('answers find their calls in any order', async t => {
  const world = createWorld(t);
  const db = await world.open();
  const calls = ['a', 'b', 'c'].map(name => db.all(name));
  const requests = [await world.hub.take('query'), await world.hub.take('query'), await world.hub.take('query')];
  for (const { id, op } of requests.reverse()) world.hub.reply(id, { rows: { columns: [{ name: 'q', type: null }], rows: 1, changes: 0, last_insert_rowid: '0' } }, [[{ text: op.query.sql }]]);
  assert.deepEqual(await Promise.all(calls), [[{ q: 'a' }], [{ q: 'b' }], [{ q: 'c' }]]);
});

test('metrics are a flat record of numbers', async t => {
  const db = await createWorld(t, { metrics: ({ id }, hub) => hub.reply(id, { metrics: { commits: 3 } }) }).open();
  assert.deepEqual(await db.metrics(), { commits: 3 });
});

test('a signal aborted before the call sends nothing', async t => {
  const world = createWorld(t);
  const db = await world.open();
  const signal = AbortSignal.abort('why');
  for (const call of [db.query('X', [], { signal }), db.exec('X', { signal }), db.batch([], { signal }), db.iterate('X', [], { signal }).next(), db.metrics({ signal }), db.transaction(() => 1, { signal }), db.export({ signal }), db.check({ signal }), db.salvage({ signal }), db.import(new ArrayBuffer(1), { signal })]) {
    assert.equal((await rejects(call, 'HUB_CANCELLED')).cause, 'why');
  }
  await settle();
  assert.equal(world.hub.received.length, 1, 'only hello was sent');
});

test('aborting a read rejects at once and tells the hub', async t => {
  const world = createWorld(t);
  const db = await world.open();
  const abort = new AbortController();
  const call = db.all('SELECT 1', [], { signal: abort.signal });
  const { id } = await world.hub.take('query');
  abort.abort();
  documented('HUB_CANCELLED', await rejects(call, 'HUB_CANCELLED'));
  assert.deepEqual((await world.hub.take('cancel')).op.cancel, { target: id });
});

test("aborting a write waits for the hub's verdict", async t => {
  const world = createWorld(t);
  const db = await world.open();
  for (const [answer, check] of [
    [{ error: { code: 'HUB_CANCELLED', message: 'stopped in the queue', outcome: 'not-applied' } }, call => rejects(call, 'HUB_CANCELLED')],
    [noRows, async call => assert.equal((await call).changes, 0)],
  ]) {
    const abort = new AbortController();
    const call = db.run('INSERT INTO t VALUES (1)', [], { signal: abort.signal });
    const { id } = await world.hub.take('query');
    abort.abort();
    assert.deepEqual((await world.hub.take('cancel')).op.cancel, { target: id });
    world.hub.reply(id, answer, 'error' in answer ? [] : [[]]);
    await check(call);
  }
});

test('a signal that fires after the answer sends nothing, and is not listened to any more', async t => {
  const world = createWorld(t, answerTwo);
  const db = await world.open();
  const abort = new AbortController();
  await db.all('SELECT 1', [], { signal: abort.signal });
  assert.deepEqual(getEventListeners(abort.signal, 'abort'), []);
  abort.abort();
  await settle();
  assert.equal(world.hub.has('cancel'), false);
});

test('a timeout goes to the hub; five seconds later the client gives up itself and says what it awaited', async t => {
  const world = createWorld(t);
  const db = await world.open();
  const read = db.all('SELECT 1', [], { timeout: 300 }), write = db.run('UPDATE t SET x = 1', [], { timeout: 300 });
  for (const call of [read, write]) call.catch(() => {});
  assert.equal((await world.hub.take('query')).op.query.timeout, 300);
  world.advance(5_299);
  await settle();
  assert.equal(world.hub.has('cancel'), false);
  world.advance(1);
  assert.match((await rejects(read, 'HUB_TIMEOUT')).message, /query within 5300 ms/);
  await rejects(write, 'HUB_TIMEOUT', 'unknown');
  await world.hub.take('cancel');
});

test('an answer in time leaves no timer behind', async t => {
  const world = createWorld(t, answerTwo);
  const db = await world.open();
  await db.all('SELECT 1', [], { timeout: 300 });
  assert.equal(world.deadlines(), 0);
});

test('without Web Locks every call has a deadline', async t => {
  const world = createWorld(t, {}, { locks: null });
  const db = await world.open();
  const call = db.all('SELECT 1');
  await world.hub.take('query');
  world.advance(35_000);
  await rejects(call, 'HUB_TIMEOUT');
});
