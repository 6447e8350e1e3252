/** The life of a session with one hub: close, the hub's end, its log, and messages that are not ours. What comes after a hub is in reconnect.test.mjs. */
import assert from 'node:assert/strict';
import { documented } from './documented.mjs';
import { FakeLocks, createWorld, noRows, rejects, settle, test } from './world.mjs';

test('close says goodbye, lets go of everything and is final', async t => {
  const world = createWorld(t);
  const db = await world.open();
  const states = [];
  db.on('status', status => states.push(status.state));
  await Promise.all([db.close(), db.close()]);
  await db.close();
  assert.equal(world.hub.received.filter(request => request.kind === 'close').length, 1);
  assert.deepEqual(states, ['closed']);
  assert.equal(db.status.state, 'closed');
  await settle();
  assert.equal(world.locks.isHeld('tabhub:app.db:tab:client-1'), false);
  assert.ok(world.portClosed);
  assert.equal(world.deadlines(), 0);
  for (const call of [db.query('X'), db.exec('X'), db.batch([]), db.iterate('X').next(), db.transaction(() => 1), db.metrics(), db.export(), db.import(new ArrayBuffer(1)), db.prepare('X').all()]) {
    documented('HUB_CLOSED', await rejects(call, 'HUB_CLOSED'));
  }
});

test('what is under way at close is still answered, or ends as closed', async t => {
  const world = createWorld(t, { close() {} });
  const db = await world.open();
  const answered = db.all('SELECT 1'), left = db.run('DELETE FROM t');
  left.catch(() => {});
  const closing = db.close();
  await rejects(db.all('SELECT 2'), 'HUB_CLOSED');
  const first = await world.hub.take('query');
  world.hub.reply(first.id, noRows, [[]]);
  assert.deepEqual(await answered, []);
  const { id } = await world.hub.take('close');
  world.hub.reply(id, { done: { changes: 0, last_insert_rowid: '0' } });
  await closing;
  await rejects(left, 'HUB_CLOSED', 'unknown');
});

test('a close that the hub does not confirm ends after five seconds and says so', async t => {
  const world = createWorld(t, { close() {} });
  const db = await world.open();
  const closing = db.close();
  await world.hub.take('close');
  world.advance(5_000);
  assert.match((await rejects(closing, 'HUB_TIMEOUT')).message, /close/);
  assert.equal(db.status.state, 'closed');
  assert.equal(world.locks.isHeld('tabhub:app.db:tab:client-1'), false);
});

test('the lock of a living hub is waited for, never taken', async t => {
  const world = createWorld(t);
  const db = await world.open();
  await settle();
  assert.equal(db.status.state, 'open');
  assert.ok(world.locks.isHeld('tabhub:app.db:hub:hub-1'));
});

test('a hub that dies while closing is closed', async t => {
  const world = createWorld(t, { close: (_, hub) => hub.die() });
  const db = await world.open();
  const states = [];
  db.on('status', ({ state }) => states.push(state));
  const write = db.run('DELETE FROM t');
  write.catch(() => {});
  await world.hub.take('query');
  await db.close();
  assert.deepEqual(states, ['closed']);
  assert.equal(world.connects.length, 1, 'no other hub is looked for');
  await rejects(write, 'HUB_LOST', 'unknown');
});

test('a fatal message fails everything with its error', async t => {
  const world = createWorld(t);
  const db = await world.open();
  const write = db.run('INSERT INTO t VALUES (1)');
  await world.hub.take('query');
  world.hub.reply(0, { fatal: { code: 'HUB_CORRUPT', message: 'the header is damaged', outcome: 'unknown' } });
  const error = await rejects(write, 'HUB_CORRUPT', 'unknown');
  assert.equal(error.sql, 'INSERT INTO t VALUES (1)');
  assert.equal(db.status.state, 'failed');
  await rejects(db.all('SELECT 1'), 'HUB_CORRUPT', 'not-applied');
});

test('a refusal that names no request fails the session: no call may wait for ever', async t => {
  const world = createWorld(t);
  const db = await world.open();
  const write = db.run('INSERT INTO t VALUES (1)');
  await world.hub.take('query');
  world.hub.reply(0, { error: { code: 'HUB_PROTOCOL', message: 'frame header is not understood', outcome: 'not-applied' } });
  await rejects(write, 'HUB_PROTOCOL', 'unknown');
  assert.equal(db.status.state, 'failed');
});

test('foreign messages are ignored', async t => {
  const world = createWorld(t, { query: ({ id }, hub) => hub.reply(id, noRows, [[]]) });
  const db = await world.open();
  for (const message of ['hello', 7, null, { hub: 'hub-1', re: 2, body: {} }, new Uint8Array(8)]) world.hub.post(message);
  assert.deepEqual(await db.all('SELECT 1'), []);
});

test('a frame that cannot be read fails the session: no call may wait for ever', async t => {
  const world = createWorld(t);
  const db = await world.open();
  const read = db.all('SELECT 1');
  await world.hub.take('query');
  world.hub.post(new ArrayBuffer(3));
  await rejects(read, 'HUB_PROTOCOL');
  assert.equal(db.status.state, 'failed');
});

test('a result that cannot be read fails its own call only', async t => {
  const world = createWorld(t, { query: ({ id, op }, hub) => hub.reply(id, { rows: { columns: [{ name: 'a', type: null }], rows: op.query.sql === 'SELECT 1' ? 2 : 1, changes: 0, last_insert_rowid: '0' } }, [[null]]) });
  const db = await world.open();
  await rejects(db.all('SELECT 1'), 'HUB_PROTOCOL', 'unknown');
  assert.deepEqual(await db.all('SELECT 2'), [{ a: null }]);
});

test('late and unknown replies are ignored', async t => {
  const world = createWorld(t);
  const db = await world.open();
  const abort = new AbortController();
  const call = db.all('SELECT 1', [], { signal: abort.signal });
  const { id } = await world.hub.take('query');
  abort.abort();
  await rejects(call, 'HUB_CANCELLED');
  world.hub.reply(id, noRows, [[]]);
  world.hub.reply(999, noRows, [[]]);
  await settle();
  assert.equal(db.status.state, 'open');
});

test("the hub's log reaches the console and the listeners, from before the welcome on", async t => {
  const early = { level: 'info', message: 'recovering' }, late = { level: 'warn', message: 'slow' };
  const world = createWorld(t, { hello(request, hub) { hub.reply(0, { log: early }); hub.welcome(request); } });
  const fromOption = [], fromEvent = [];
  const db = await world.open({ onLog: event => fromOption.push(event) });
  const off = db.on('log', event => fromEvent.push(event));
  world.hub.reply(0, { log: late });
  await settle();
  off();
  world.hub.reply(0, { log: late });
  await settle();
  assert.deepEqual(fromOption, [early, late, late]);
  assert.deepEqual(fromEvent, [late]);
  assert.deepEqual(world.logs[0], { database: 'app.db', ...early });
});

test('on refuses what is no event or no listener', async t => {
  const db = await createWorld(t).open();
  assert.throws(() => db.on('logs', () => {}), { code: 'HUB_BAD_REQUEST' });
  assert.throws(() => db.on('log', 'console'), { code: 'HUB_BAD_REQUEST' });
});

test('an error event of the worker after the welcome is logged and harms nothing', async t => {
  const world = createWorld(t);
  const db = await world.open();
  world.receiver.loadFailed();
  assert.equal(db.status.state, 'open');
  assert.equal(world.logs[0].level, 'error');
});

test('a hub that cannot be watched is reported, not ignored', async t => {
  const locks = new FakeLocks();
  const world = createWorld(t, {}, { locks: { request: (name, ...rest) => name.includes(':hub:') ? Promise.reject(new Error('refused')) : locks.request(name, ...rest) } });
  world.hub.locks = null;
  await world.open();
  await settle();
  assert.match(world.logs[0].message, /refused/);
});
