/** From a hub that is lost to the next: how it is noticed, who is asked, for how long, and how it ends. */
import assert from 'node:assert/strict';
import { BUILD, FORMAT, PROTOCOL_VERSION, workerName } from './client.mjs';
import { TRANSACTION, answer, fail, sent, states } from './failover.mjs';
import { FakeLocks, createWorld, later, rejects, settle, test, within } from './world.mjs';

test('after the death of its hub a client says hello to the next with the same id, and goes on', async t => {
  const world = createWorld(t, answer);
  const db = await world.open({ durability: 'relaxed', persistence: 'preferred' });
  const seen = states(db);
  await db.run('INSERT 1');
  await db.run('INSERT 2');
  world.script.hello = (request, hub) => hub.welcome(request, { epoch: 8, commit: 44 });
  await fail(world);
  assert.deepEqual(seen, ['reconnecting hub-1', 'open hub-2']);
  assert.equal(db.status.epoch, 8);
  const hello = await world.hub.take('hello');
  assert.deepEqual(hello.op.hello, {
    protocol: PROTOCOL_VERSION, format: FORMAT, client: 'client-1', lock: 'tabhub:app.db:tab:client-1', build: BUILD, persistence: 'required', durability: 'relaxed', resume: { since: 40, last: 2, epoch: 7 },
  });
  assert.equal(hello.id, 1, 'smaller than the id of whatever is sent again');
  assert.deepEqual(await db.all('SELECT 1'), []);
  assert.deepEqual(world.connects, [0, 1].map(generation => ({ url: 'https://app.example/lib/hub.js', workerName: workerName('app.db', generation) })));
  assert.deepEqual(world.logs.map(({ level, message }) => [level, message]), [['warn', 'the hub is gone; looking for another'], ['info', 'going on with hub hub-2 after 0 ms']]);
  assert.equal(world.deadlines(), 0);
});

test("the first welcome's commit is told to every later hub", async t => {
  const world = createWorld(t, answer);
  await world.open();
  for (const commit of [50, 60]) await fail(world, { hello: (request, hub) => hub.welcome(request, { commit }) });
  assert.deepEqual(world.hubs.map(({ received: [hello] }) => hello.op.hello.resume), [undefined, { since: 40, last: 0, epoch: 7 }, { since: 40, last: 0, epoch: 8 }]);
});

test("the tab's lock is held throughout", async t => {
  const world = createWorld(t);
  const db = await world.open();
  await fail(world, { hello() {} });
  assert.equal(db.status.state, 'reconnecting');
  assert.ok(world.locks.isHeld('tabhub:app.db:tab:client-1'));
});

test('another hub that speaks on the old port means that the old one is gone', async t => {
  const world = createWorld(t);
  const db = await world.open();
  const seen = states(db);
  const write = later(db.run('INSERT 1'));
  const { id } = await world.hub.take('query');
  const old = world.hub;
  Object.assign(world.script, answer);
  old.instance = 'respawned';
  old.fail(id, 'HUB_BAD_REQUEST', 'not-applied', 'say hello first');
  assert.equal((await write).changes, 0, 'what the other said to the old question is no answer');
  assert.deepEqual(seen, ['reconnecting hub-1', 'open hub-2']);
  assert.equal(old.isDead, false);
  assert.deepEqual(['hub-1', 'hub-2'].map(hub => world.locks.waiting(`tabhub:app.db:hub:${hub}`)), [0, 1], 'the old lock is not waited for any more');
});

test("a foreign hub's farewell on the old port is not ours", async t => {
  const world = createWorld(t, answer);
  const db = await world.open();
  world.hub.instance = 'respawned';
  world.hub.reply(0, { fatal: { code: 'HUB_LOAD_FAILED', message: 'wasm: 404', outcome: 'not-applied' } });
  await settle();
  assert.deepEqual([db.status.state, db.status.hub], ['open', 'hub-2']);
});

test('attempts are made at once, then after 250 ms and ever longer pauses; after 30 s the hub is lost', async t => {
  const world = createWorld(t);
  const db = await world.open();
  const seen = states(db);
  const write = db.run('INSERT 1'), read = db.all('SELECT 1');
  [write, read].forEach(later);
  await world.hub.take('query');
  await fail(world, { hello() {} });
  const waiting = [db.run('INSERT 2'), db.all('SELECT 2')];
  waiting.forEach(later);
  const attempts = [];
  for (let attempt = 2; world.now < 30_000; world.advance(50), await settle()) {
    if (world.connects.length !== attempt) continue;
    attempts.push(world.now);
    attempt += 1;
    world.receiver.loadFailed();
    await settle();
    // Once more, under another name.
    world.receiver.loadFailed();
    attempt += 1;
    await settle();
  }
  assert.deepEqual(attempts, [0, 250, 750, 1_750, 3_750, 7_750, 15_750]);
  assert.deepEqual(seen, ['reconnecting hub-1', 'lost hub-1']);
  assert.match((await rejects(write, 'HUB_LOST', 'unknown')).message, /within 30000 ms: .*hub\.js.*open the database again/);
  await rejects(read, 'HUB_LOST', 'not-applied');
  for (const call of waiting) await rejects(call, 'HUB_LOST', 'not-applied');
  await rejects(db.run('INSERT 3'), 'HUB_LOST', 'not-applied');
  await settle();
  assert.deepEqual([world.deadlines(), world.locks.isHeld('tabhub:app.db:tab:client-1'), world.portClosed], [0, false, true]);
  await db.close();
  assert.equal(db.status.state, 'closed');
});

test('a hub that does not answer hello is given ever more time, up to ten seconds', async t => {
  const world = createWorld(t);
  const db = await world.open();
  await fail(world, { hello() {} });
  const begins = [], ends = [];
  for (; world.now < 30_000; world.advance(50), await settle()) {
    if (world.connects.length > begins.length + 1) begins.push(world.now);
    if (world.portClosed && begins.length > ends.length) ends.push(world.now);
  }
  assert.deepEqual([begins, ends], [[0, 1_250, 3_750, 8_750, 18_750], [1_000, 3_250, 7_750, 16_750, 28_750]]);
  assert.equal(db.status.state, 'lost');
});

test('a hub that answers hello too late is not listened to', async t => {
  const world = createWorld(t, answer);
  const db = await world.open();
  const write = db.run('INSERT 1');
  await fail(world, { hello() {} });
  const silent = world.hub;
  world.advance(1_000);
  await settle();
  world.script.hello = (request, hub) => hub.welcome(request);
  world.advance(250);
  await within(write, 'the write');
  assert.equal(world.hub.instance, 'hub-3');
  silent.welcome({ id: 1 });
  await settle();
  assert.deepEqual([db.status.state, db.status.hub], ['open', 'hub-3']);
  assert.equal(world.deadlines(), 0);
});

test('a connection that the page takes away is made anew, even to the same hub; what was open on it is gone', async t => {
  const world = createWorld(t, { ...TRANSACTION, query() {} });
  const db = await world.open();
  const seen = states(db);
  let go;
  const work = later(db.transaction(async tx => { await new Promise(resolve => { go = resolve; }); await tx.run('INSERT 1'); }));
  const write = db.run('INSERT 2');
  await world.hub.take('query');
  await settle();
  world.script.query = answer.query;
  world.script.hello = (request, hub) => { hub.instance = 'hub-1'; hub.welcome(request); };
  world.receiver.cut('the page took the connection away');
  assert.equal((await within(write, 'the write')).changes, 0);
  assert.deepEqual(seen, ['reconnecting hub-1', 'open hub-1']);
  go();
  await rejects(work, 'HUB_TRANSACTION_LOST', 'not-applied');
  assert.deepEqual(sent(world.hub).map(([, kind]) => kind), ['hello', 'query']);
  assert.match(world.logs[0].message, /took the connection away/);
});

test('a connection that is taken away before its welcome is one more attempt', async t => {
  const world = createWorld(t, answer);
  const db = await world.open();
  await fail(world, { hello() {} });
  world.receiver.cut('the page took the connection away');
  await settle();
  world.script.hello = (request, hub) => hub.welcome(request);
  world.advance(250);
  await settle();
  assert.equal(db.status.hub, 'hub-3');
});

test('a worker that the platform refuses to start is tried again', async t => {
  const world = createWorld(t, answer);
  const db = await world.open();
  const { connect } = world.env;
  let refusals = 2;
  world.env.connect = (...args) => { if (refusals-- > 0) throw new Error('no process'); return connect(...args); };
  await fail(world);
  for (const pause of [250, 500]) { world.advance(pause); await settle(); }
  assert.equal(db.status.state, 'open');
});

for (const code of ['HUB_FENCED', 'HUB_LOAD_FAILED', 'HUB_STORAGE', 'HUB_STORAGE_UNAVAILABLE']) {
  test(`a next hub that ends with ${code} may be followed by a better one`, async t => {
    const world = createWorld(t, answer);
    const db = await world.open();
    await fail(world, { hello: (_, hub) => hub.reply(0, { fatal: { code, message: code, outcome: 'not-applied' } }) });
    assert.equal(db.status.state, 'reconnecting');
    world.script.hello = (request, hub) => hub.welcome(request);
    world.advance(250);
    await settle();
    assert.equal(db.status.state, 'open');
  });
}

test('a next hub that cannot be worked with fails the session with its reason', async t => {
  for (const [hello, code] of [
    [(request, hub) => hub.welcome(request, { protocol: PROTOCOL_VERSION + 1 }), 'HUB_PROTOCOL'],
    [({ id }, hub) => hub.fail(id, 'HUB_FORMAT'), 'HUB_FORMAT'],
  ]) {
    const world = createWorld(t);
    const db = await world.open();
    const write = db.run('INSERT 1'), read = db.all('SELECT 1');
    [write, read].forEach(later);
    await world.hub.take('query');
    await fail(world, { hello });
    assert.equal(db.status.state, 'failed');
    await rejects(write, code, 'unknown');
    await rejects(read, code, 'not-applied');
    assert.equal(world.deadlines(), 0);
  }
});

test('a hub that gives up is as good as dead: the next one goes on', async t => {
  for (const code of ['HUB_PANICKED', 'HUB_FENCED', 'HUB_REPLACED', 'HUB_POISONED']) {
    const world = createWorld(t);
    const db = await world.open();
    const write = later(db.run('INSERT 1'));
    await world.hub.take('query');
    Object.assign(world.script, answer);
    world.hub.reply(0, { fatal: { code, message: 'no more', outcome: 'unknown' } });
    await within(write, 'the write');
    assert.equal(db.status.hub, 'hub-2');
    assert.match(world.logs[0].message, new RegExp(`no more.*${code}`));
  }
});

test('a database that was deleted is not silently begun anew', async t => {
  const world = createWorld(t);
  const db = await world.open();
  world.hub.reply(0, { fatal: { code: 'HUB_DELETED', message: 'x', outcome: 'not-applied' } });
  await settle();
  assert.deepEqual([db.status.state, world.connects.length], ['failed', 1]);
  await rejects(db.all('SELECT 1'), 'HUB_DELETED');
});

test('a database that was deleted and begun anew under its tabs is not taken for theirs', async t => {
  const world = createWorld(t, answer);
  const db = await world.open();
  const write = later(db.run('INSERT 1'));
  await fail(world, { hello: (request, hub) => hub.welcome(request, { epoch: 7 }) });
  assert.equal(db.status.state, 'failed');
  await rejects(db.all('SELECT 1'), 'HUB_DELETED');
  assert.equal(world.hub.has('query'), false, 'nothing is written into it');
  await write.catch(() => {});
});

test('each change of hub is told, with the reason and the time it took', async t => {
  const world = createWorld(t, answer);
  const db = await world.open();
  const events = [];
  db.on('failover', event => events.push(event));
  await fail(world, { hello: (_, hub) => hub.fail(1, 'HUB_STORAGE') });
  world.script.hello = (request, hub) => hub.welcome(request);
  world.advance(250);
  await settle();
  assert.deepEqual(events, [{ from: 'hub-1', to: 'hub-3', why: 'the hub is gone', ms: 250 }]);
});

test('close while there is no hub ends cleanly', async t => {
  for (const pausing of [false, true]) {
    const world = createWorld(t);
    const db = await world.open();
    const write = later(db.run('INSERT 1'));
    await world.hub.take('query');
    await fail(world, { hello: (request, hub) => { if (pausing) hub.fail(request.id, 'HUB_STORAGE'); } });
    const waiting = later(db.run('INSERT 2'));
    const seen = states(db);
    await within(db.close(), 'close');
    await rejects(write, 'HUB_CLOSED', 'unknown');
    await rejects(waiting, 'HUB_CLOSED', 'not-applied');
    await settle();
    assert.deepEqual([seen, world.deadlines(), world.locks.isHeld('tabhub:app.db:tab:client-1'), world.portClosed], [['closed hub-1'], 0, false, true]);
    world.advance(60_000);
    await settle();
    assert.equal(world.connects.length, 2);
  }
});

test('a close in the moment that the next hub says welcome is final', async t => {
  const world = createWorld(t);
  const db = await world.open();
  const seen = states(db);
  const { connect } = world.env;
  world.env.connect = (url, name, receiver) => connect(url, name, { ...receiver, message(data) { receiver.message(data); db.close(); } });
  await fail(world);
  assert.deepEqual([seen, db.status.state, world.deadlines()], [['reconnecting hub-1', 'closed hub-1'], 'closed', 0]);
  await rejects(db.all('SELECT 1'), 'HUB_CLOSED');
});

test('a database that was in memory only is lost with its hub, not silently replaced by an empty one', async t => {
  const world = createWorld(t, { hello: (request, hub) => hub.welcome(request, { persistence: 'memory' }) });
  const db = await world.open({ persistence: 'preferred' });
  world.hub.die();
  await settle();
  assert.equal(db.status.state, 'lost');
  assert.match((await rejects(db.all('SELECT 1'), 'HUB_LOST')).message, /in memory only/);
  assert.equal(world.connects.length, 1);
});

test('a request that five hubs have not survived is not put to a sixth', async t => {
  const world = createWorld(t, { query: (_, hub) => hub.die() });
  const db = await world.open();
  const poison = db.run('INSERT poison'), bystander = db.exec('DELETE');
  later(bystander);
  assert.match((await rejects(poison, 'HUB_LOST', 'unknown')).message, /5th/);
  assert.equal(world.hubs.filter(hub => hub.received.some(({ kind }) => kind === 'query')).length, 5);
  await rejects(bystander, 'HUB_LOST', 'unknown');
  world.script.query = answer.query;
  await settle();
  assert.deepEqual(await db.all('SELECT 1'), []);
});

test('hub after hub may die', async t => {
  const world = createWorld(t);
  const db = await world.open();
  const write = later(db.run('INSERT 1'));
  for (let death = 0; death < 3; death++) await fail(world);
  await fail(world, answer);
  await within(write, 'the write');
  assert.equal(db.status.hub, 'hub-5');
  assert.deepEqual(world.locks.names().sort(), ['tabhub:app.db:hub:hub-5', 'tabhub:app.db:tab:client-1']);
});

test('without Web Locks another hub on the port is still noticed, and every call has its deadline', async t => {
  const world = createWorld(t, answer, { locks: null });
  const db = await world.open();
  world.hub.instance = 'respawned';
  assert.deepEqual(await within(db.all('SELECT 1'), 'the read'), []);
  assert.equal(db.status.hub, 'hub-2');
});

test('the lock of a hub that was given up is not waited for', async t => {
  const locks = new FakeLocks();
  const world = createWorld(t, answer, { locks });
  const db = await world.open();
  const [first] = world.hubs;
  first.instance = 'respawned';
  first.reply(0, { log: { level: 'info', message: 'x' } });
  await settle();
  first.die();
  await settle();
  assert.deepEqual([db.status.state, db.status.hub, world.connects.length], ['open', 'hub-2', 2]);
});
