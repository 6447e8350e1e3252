/** Calls when their hub is lost: how writes are numbered, what is sent again, what waits, what stops or fails and how. */
import assert from 'node:assert/strict';
import { documented } from './documented.mjs';
import { TRANSACTION, answer, fail, sent } from './failover.mjs';
import { createWorld, done, later, noRows, rejects, settle, test, within } from './world.mjs';

const column = [{ name: 'n', type: null }];

test('a write is numbered, and says which writes have been answered', async t => {
  const world = createWorld(t);
  const db = await world.open();
  const calls = [db.run('INSERT 1'), db.all('SELECT 1'), db.exec('DELETE 2'), db.batch(['UPDATE 3']), db.metrics()];
  await world.hub.take('metrics');
  const numbers = hub => hub.received.filter(({ kind }) => kind !== 'hello').map(({ kind, write, answered }) => [kind, write, answered]);
  assert.deepEqual(numbers(world.hub), [['query', 1, 0], ['query', undefined, undefined], ['exec', 2, 0], ['batch', 3, 0]]);
  const byKind = Object.fromEntries(world.hub.received.map(request => [request.op.query?.sql ?? request.kind, request.id]));

  world.hub.reply(byKind.exec, done);
  await calls[2];
  later(db.run('INSERT 4'));
  assert.deepEqual([(await takeSql(world.hub, 'INSERT 4')).write, world.hub.received.at(-1).answered], [4, 0], 'the second was answered, the first was not');

  world.hub.fail(byKind['INSERT 1'], 'SQLITE_ERROR');
  await rejects(calls[0], 'SQLITE_ERROR');
  later(db.run('INSERT 5'));
  await takeSql(world.hub, 'INSERT 5');
  assert.equal(world.hub.received.at(-1).answered, 2, 'an error is an answer too; the third is open');
  calls.forEach(later);
});

async function takeSql(hub, sql) {
  await settle();
  const found = hub.received.find(({ op, kind }) => op[kind].sql === sql);
  assert.ok(found, `'${sql}' was not sent`);
  return found;
}

test("a transaction's commit is its numbered write; its statements, reads and streams have no number", async t => {
  const world = createWorld(t, {
    ...TRANSACTION, batch: ({ id }, hub) => hub.reply(id, { results: { results: [] } }),
    import: ({ id }, hub) => hub.reply(id, done), iterate: ({ id }, hub) => hub.reply(id, { chunk: { columns: column, rows: 0, end: true } }, [[]]),
  });
  const db = await world.open();
  await db.transaction(async tx => { await tx.run('INSERT'); await tx.exec('DELETE'); await tx.batch(['UPDATE']); });
  await db.transaction(tx => tx.all('SELECT'), { mode: 'read' });
  await db.import(new Uint8Array(0));
  await db.iterate('SELECT').next();
  for (const { kind, write, answered, op } of world.hub.received.filter(({ kind }) => kind !== 'commit')) assert.deepEqual([kind, write, answered], [kind, undefined, undefined], JSON.stringify(op));
  assert.deepEqual(world.hub.received.filter(({ kind }) => kind === 'commit').map(({ write, answered }) => [write, answered]), [[1, 0], [undefined, undefined]]);
});

test('an answered write that the caller gave up on does not hold the others back', async t => {
  const world = createWorld(t);
  const db = await world.open();
  const slow = later(db.run('INSERT 1', [], { timeout: 100 }));
  await world.hub.take('query');
  world.advance(5_100);
  await rejects(slow, 'HUB_TIMEOUT', 'unknown');
  later(db.run('INSERT 2'));
  const { write, answered } = await world.hub.take('query');
  assert.deepEqual([write, answered], [2, 1]);
});

test('what was not answered is sent again, in order, as the very same frames; what was answered is not', async t => {
  const world = createWorld(t);
  const db = await world.open();
  const calls = [
    db.run('INSERT 1', [new Uint8Array(5).fill(7)]), db.all('SELECT 2'), db.exec('DELETE 3'), db.batch([['UPDATE 4', [4]]]), db.metrics(), db.run('INSERT 5'), db.transaction(() => 6),
  ];
  calls.forEach(later);
  await world.hub.take('begin').then(request => world.hub.received.push(request));
  const [, ...before] = world.hub.received;
  world.hub.reply(before.find(({ write }) => write === 2).id, done);
  await calls[2];
  const first = world.hub;
  await fail(world);
  const [, ...after] = world.hub.received;
  const unanswered = before.filter(({ write }) => write !== 2);
  assert.deepEqual(after.map(({ id, write, answered, op, payload }) => ({ id, write, answered, op, payload })), unanswered.map(({ id, write, answered, op, payload }) => ({ id, write, answered, op, payload })));
  assert.equal(unanswered.length, 6);
  assert.notEqual(world.hub, first);
});

test("the next hub's stored reply is the call's answer", async t => {
  const world = createWorld(t);
  const db = await world.open();
  const write = later(db.run('INSERT INTO t VALUES (1)'));
  await world.hub.take('query');
  await fail(world, { query: ({ id }, hub) => hub.reply(id, { rows: { ...noRows.rows, changes: 1, last_insert_rowid: '77' } }, [[]]) });
  assert.deepEqual(await write, { changes: 1, lastInsertRowid: 77 });
});

for (const [code, outcome] of [['HUB_SESSION_EVICTED', 'unknown'], ['HUB_REPLY_DROPPED', 'applied']]) {
  test(`a hub that cannot give the reply any more says so: ${code}, ${outcome}`, async t => {
    const world = createWorld(t);
    const db = await world.open();
    const write = later(db.run('INSERT INTO t VALUES (1)'));
    await world.hub.take('query');
    await fail(world, { query: ({ id }, hub) => hub.fail(id, code, outcome) });
    assert.equal((await rejects(write, code, outcome)).sql, 'INSERT INTO t VALUES (1)');
  });
}

test('a reply that the dead hub had sent but that was not delivered is asked for again', async t => {
  const world = createWorld(t);
  const db = await world.open();
  const write = later(db.run('INSERT 1'));
  const { id } = await world.hub.take('query');
  world.hub.reply(id, { rows: { ...noRows.rows, changes: 1 } }, [[]]);
  world.hub.die();
  world.script.query = (request, hub) => hub.reply(request.id, { rows: { ...noRows.rows, changes: 2 } }, [[]]);
  assert.ok([1, 2].includes((await within(write, 'the write')).changes), 'the reply of one of them');
  assert.equal(db.status.state, 'open');
});

test('calls made while there is no hub wait, and are sent after those that were', async t => {
  const world = createWorld(t);
  const db = await world.open();
  const early = [db.run('INSERT 1'), db.all('SELECT 2')];
  await world.hub.take('query');
  await fail(world, { hello() {} });
  const late = [db.run('INSERT 3'), db.all('SELECT 4'), db.iterate('SELECT 5').next(), db.transaction(() => 6), db.run('INSERT 7')];
  [...early, ...late].forEach(later);
  await settle();
  assert.deepEqual(sent(world.hub), [[1, 'hello', undefined]]);
  world.receiver.loadFailed();
  await settle();
  world.advance(250);
  await settle();
  const [hello] = world.hub.received;
  world.hub.welcome(hello);
  await settle();
  assert.deepEqual(hello.op.hello.resume, { since: 40, last: 1, epoch: 7 }, 'the numbers of those that were never sent are not counted');
  assert.deepEqual(world.hub.received.slice(1).map(({ op, kind, write, answered }) => [op[kind].sql ?? kind, write, answered]), [
    ['INSERT 1', 1, 0], ['SELECT 2', undefined, undefined], ['INSERT 3', 2, 0], ['SELECT 4', undefined, undefined], ['SELECT 5', undefined, undefined],
    ['begin', undefined, undefined], ['INSERT 7', 3, 0],
  ]);
  const ids = world.hub.received.map(({ id }) => id);
  assert.deepEqual(ids, ids.toSorted?.((a, b) => a - b) ?? [...ids].sort((a, b) => a - b));
});

test('a call made by a status listener is neither lost nor sent twice', async t => {
  const world = createWorld(t, answer);
  const db = await world.open();
  const calls = [];
  db.on('status', ({ state }) => calls.push(db.run(`INSERT ${state}`)));
  await fail(world);
  assert.equal((await within(Promise.all(calls), 'both writes')).length, 2);
  assert.deepEqual(sent(world.hub).slice(1).map(([, , sql]) => sql), ['INSERT reconnecting', 'INSERT open']);
});

test('streams end with the hub: reading ones can be started again, an import is in doubt', async t => {
  const world = createWorld(t, { iterate: ({ id }, hub) => hub.reply(id, { chunk: { columns: column, rows: 1, end: false } }, [[{ integer: '1' }]]) });
  const db = await world.open();
  const rows = db.iterate('SELECT n');
  await rows.next();
  const exported = db.export(), checked = db.check(), imported = db.import(new Uint8Array(3)), salvaged = db.salvage();
  [exported, checked, imported, salvaged].forEach(later);
  await world.hub.take('import');
  await settle();
  await fail(world);
  documented('HUB_LOST', await rejects(rows.next(), 'HUB_LOST', 'not-applied'));
  for (const call of [exported, checked, salvaged]) await rejects(call, 'HUB_LOST', 'not-applied');
  await rejects(imported, 'HUB_LOST', 'unknown');
  assert.deepEqual(sent(world.hub), [[1, 'hello', undefined]], 'nothing of them is sent again, no credit and no cancel');
});

test('an import whose part is read while the hub dies sends it to nobody', async t => {
  const world = createWorld(t, { import: ({ id }, hub) => hub.reply(id, { more: { received: 0 } }) });
  const db = await world.open();
  const blob = new Blob(['x'.repeat(10)]);
  let read;
  blob.slice = () => ({ arrayBuffer: () => new Promise(resolve => { read = () => resolve(new ArrayBuffer(10)); }) });
  const call = later(db.import(blob));
  await settle();
  await fail(world);
  read();
  await rejects(call, 'HUB_LOST', 'unknown');
  assert.equal(world.hub.has('part'), false);
});

test('a signal stops a read at once, and a waiting write, while there is no hub', async t => {
  const world = createWorld(t);
  const db = await world.open();
  const abort = new AbortController();
  const { signal } = abort;
  const read = later(db.all('SELECT 1', [], { signal }));
  await world.hub.take('query');
  await fail(world, { hello() {} });
  const write = db.run('INSERT 1', [], { signal }), rows = db.iterate('SELECT 2', [], { signal }).next(), file = db.import(new Uint8Array(1), { signal }), work = db.transaction(() => assert.fail('must not run'), { signal });
  [write, rows, file, work].forEach(later);
  await settle();
  abort.abort();
  for (const call of [read, write, rows, file, work]) await rejects(call, 'HUB_CANCELLED', 'not-applied');
  world.hub.welcome(world.hub.received[0]);
  await settle();
  assert.deepEqual(sent(world.hub), [[1, 'hello', undefined]]);
});

test('a write that its signal wants to stop is asked for again, together with the wish', async t => {
  const world = createWorld(t);
  const db = await world.open();
  const abort = new AbortController();
  const write = db.run('INSERT 1', [], { signal: abort.signal }), begin = db.transaction(() => assert.fail('must not run'), { signal: abort.signal });
  [write, begin].forEach(later);
  const { id } = await world.hub.take('query');
  await fail(world, { hello() {} });
  abort.abort();
  world.script.cancel = ({ op }, hub) => hub.fail(op.cancel.target, 'HUB_CANCELLED');
  world.hub.welcome(world.hub.received[0]);
  await rejects(write, 'HUB_CANCELLED');
  await rejects(begin, 'HUB_CANCELLED');
  assert.deepEqual(sent(world.hub).slice(1), [[id, 'query', 'INSERT 1'], [0, 'cancel', id], [id + 1, 'begin', undefined], [0, 'cancel', id + 1]]);
});

test('a timeout ends a call while there is no hub, and it is not sent again', async t => {
  const world = createWorld(t);
  const db = await world.open();
  const early = later(db.run('INSERT 1', [], { timeout: 1_000 }));
  await world.hub.take('query');
  await fail(world, { hello() {} });
  const late = later(db.run('INSERT 2', [], { timeout: 1_000 }));
  world.advance(6_000);
  await rejects(early, 'HUB_TIMEOUT', 'unknown');
  await rejects(late, 'HUB_TIMEOUT', 'not-applied');
  world.hub.welcome(world.hub.received[0]);
  await settle();
  assert.deepEqual(sent(world.hub), [[1, 'hello', undefined]]);
});

test('a call that got an answer of the wrong kind is over, though its answer was not the last', async t => {
  const world = createWorld(t, { query: ({ id }, hub) => hub.reply(id, { chunk: { rows: 0, end: false } }, [[]]) });
  const db = await world.open();
  await rejects(db.all('SELECT 1'), 'HUB_PROTOCOL');
  await world.hub.take('cancel');
  await fail(world);
  assert.deepEqual(sent(world.hub), [[1, 'hello', undefined]]);
});
