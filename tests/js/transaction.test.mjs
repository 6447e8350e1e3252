/** Interactive transactions: begin, work, end, and every way they can end early. */
import assert from 'node:assert/strict';
import { documented } from './documented.mjs';
import { createWorld, done, noRows, rejects, settle, test } from './world.mjs';

const begun = { begun: { tx: 5 } };
const SCRIPT = {
  begin: ({ id }, hub) => hub.reply(id, begun),
  query: ({ id }, hub) => hub.reply(id, noRows, [[]]),
  exec: ({ id }, hub) => hub.reply(id, done),
  batch: ({ id }, hub) => hub.reply(id, { results: { results: [] } }),
  commit: ({ id }, hub) => hub.reply(id, done),
  rollback: ({ id }, hub) => hub.reply(id, done),
};
const kinds = hub => hub.received.map(request => request.kind).filter(kind => kind !== 'hello');

test('the work runs between begin and commit, each statement inside', async t => {
  const world = createWorld(t, SCRIPT);
  const db = await world.open();
  const result = await db.transaction(async tx => {
    await tx.query('A'); await tx.all('B'); await tx.get('C'); await tx.run('D', [1]); await tx.sql`E ${1}`; await tx.exec('F'); await tx.batch(['G']);
    return 'result';
  }, { mode: 'deferred', timeout: 700.5, durability: 'relaxed' });
  assert.equal(result, 'result');
  assert.deepEqual(kinds(world.hub), ['begin', 'query', 'query', 'query', 'query', 'query', 'exec', 'batch', 'commit']);
  assert.deepEqual((await world.hub.take('begin')).op.begin, { mode: 'deferred', timeout: 701 });
  assert.deepEqual((await world.hub.take('commit')).op.commit, { tx: 5, durability: 'relaxed' });
  for (const { op, kind } of world.hub.received.filter(request => ['query', 'exec', 'batch'].includes(request.kind))) assert.equal(op[kind].tx, 5);
});

test('by default a transaction is immediate and may idle for five seconds', async t => {
  const world = createWorld(t, SCRIPT);
  await (await world.open()).transaction(() => 1);
  assert.deepEqual((await world.hub.take('begin')).op.begin, { mode: 'immediate', timeout: 5000 });
});

test('what the work throws rolls back and comes out unchanged', async t => {
  const world = createWorld(t, SCRIPT);
  const db = await world.open();
  const mine = new RangeError('mine');
  await assert.rejects(db.transaction(async tx => { await tx.run('A'); throw mine; }), error => error === mine);
  assert.deepEqual(kinds(world.hub), ['begin', 'query', 'rollback']);
  assert.deepEqual((await world.hub.take('rollback')).op.rollback, { tx: 5 });
});

test('work that throws synchronously rolls back too', async t => {
  const world = createWorld(t, SCRIPT);
  const db = await world.open();
  await assert.rejects(db.transaction(() => { throw new RangeError('sync'); }), RangeError);
  assert.deepEqual(kinds(world.hub), ['begin', 'rollback']);
});

test('a rollback the hub refuses does not hide what the work threw', async t => {
  const lost = { error: { code: 'HUB_TRANSACTION_TIMEOUT', message: 'idle', outcome: 'not-applied' } };
  const world = createWorld(t, { ...SCRIPT, query: ({ id }, hub) => hub.reply(id, lost), rollback: ({ id }, hub) => hub.reply(id, lost) });
  const db = await world.open();
  await rejects(db.transaction(tx => tx.run('A')), 'HUB_TRANSACTION_TIMEOUT');
});

test('a commit that fails is rolled back and its error comes out', async t => {
  const world = createWorld(t, { ...SCRIPT, commit: ({ id }, hub) => hub.reply(id, { error: { code: 'SQLITE_CONSTRAINT_FOREIGNKEY', message: 'x', outcome: 'not-applied' } }) });
  const db = await world.open();
  await rejects(db.transaction(() => 1), 'SQLITE_CONSTRAINT_FOREIGNKEY');
  assert.deepEqual(kinds(world.hub), ['begin', 'commit', 'rollback']);
});

test('a transaction that is over refuses every statement', async t => {
  const world = createWorld(t, SCRIPT);
  const db = await world.open();
  const kept = await db.transaction(tx => tx);
  for (const call of [kept.query('A'), kept.all('A'), kept.get('A'), kept.run('A'), kept.exec('A'), kept.batch(['A']), kept.sql`A`]) documented('HUB_TRANSACTION_CLOSED', await rejects(call, 'HUB_TRANSACTION_CLOSED'));
  assert.deepEqual(kinds(world.hub), ['begin', 'commit']);
});

test('a transaction inside a transaction is refused', async t => {
  const db = await createWorld(t, SCRIPT).open();
  documented('HUB_TRANSACTION_NESTED', await rejects(db.transaction(tx => tx.transaction(() => 1)), 'HUB_TRANSACTION_NESTED'));
});

test('durability is an option of the transaction, not of its statements', async t => {
  const db = await createWorld(t, SCRIPT).open();
  await rejects(db.transaction(tx => tx.run('A', [], { durability: 'relaxed' })), 'HUB_BAD_OPTION');
  await rejects(db.transaction(tx => tx.exec('A', { durability: 'relaxed' })), 'HUB_BAD_OPTION');
});

test('the first argument must be a function', async t => {
  const world = createWorld(t, SCRIPT);
  await rejects((await world.open()).transaction('BEGIN'), 'HUB_BAD_REQUEST');
  assert.deepEqual(kinds(world.hub), []);
});

test('a signal ends the work: rolled back, rejected, later statements refused', async t => {
  const world = createWorld(t, SCRIPT);
  const db = await world.open();
  const abort = new AbortController();
  let kept;
  const call = db.transaction(async tx => { kept = tx; await tx.run('A'); abort.abort('enough'); await new Promise(() => {}); }, { signal: abort.signal });
  assert.equal((await rejects(call, 'HUB_CANCELLED')).cause, 'enough');
  assert.deepEqual(kinds(world.hub), ['begin', 'query', 'rollback']);
  await rejects(kept.run('B'), 'HUB_TRANSACTION_CLOSED');
});

test('a signal stops a statement that the hub has not answered', async t => {
  const world = createWorld(t, { ...SCRIPT, query() {} });
  const db = await world.open();
  const abort = new AbortController();
  const call = db.transaction(tx => tx.run('slow'), { signal: abort.signal });
  const { id } = await world.hub.take('query');
  abort.abort();
  await rejects(call, 'HUB_CANCELLED');
  assert.deepEqual((await world.hub.take('cancel')).op.cancel, { target: id });
});

test('a signal stops a transaction that waits its turn', async t => {
  const world = createWorld(t, { ...SCRIPT, begin() {}, cancel: ({ op }, hub) => hub.reply(op.cancel.target, { error: { code: 'HUB_CANCELLED', message: 'stopped', outcome: 'not-applied' } }) });
  const db = await world.open();
  const abort = new AbortController();
  const call = db.transaction(() => assert.fail('the work must not run'), { signal: abort.signal });
  await world.hub.take('begin');
  abort.abort();
  await rejects(call, 'HUB_CANCELLED');
});

test('a transaction that began while its signal fired is rolled back, not left open', async t => {
  const world = createWorld(t, { ...SCRIPT, begin() {} });
  const db = await world.open();
  const abort = new AbortController();
  const call = db.transaction(() => assert.fail('the work must not run'), { signal: abort.signal });
  const { id } = await world.hub.take('begin');
  abort.abort();
  world.hub.reply(id, begun);
  await rejects(call, 'HUB_CANCELLED');
  assert.deepEqual((await world.hub.take('rollback')).op.rollback, { tx: 5 });
});

test('a signal that fires after the commit changes nothing', async t => {
  const world = createWorld(t, SCRIPT);
  const db = await world.open();
  const abort = new AbortController();
  assert.equal(await db.transaction(() => 'kept', { signal: abort.signal }), 'kept');
  abort.abort();
  await settle();
  assert.deepEqual(kinds(world.hub), ['begin', 'commit']);
});
