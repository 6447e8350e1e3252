/** A hub that falls silent without dying: who notices, when, and who must not. */
import assert from 'node:assert/strict';
import { answer } from './failover.mjs';
import { workerName } from './client.mjs';
import { PULSE_MS, createWorld, later, rejects, settle, test, within } from './world.mjs';

/** Lets time pass as it does for a tab that is awake. */
async function wait(world, ms, step = PULSE_MS) {
  for (const end = world.now + ms; world.now < end; await settle()) world.advance(Math.min(step, end - world.now));
}

test('a hub that owes an answer and gives no sign of life is given up, and the next worker asked', async t => {
  const world = createWorld(t);
  const db = await world.open();
  const write = db.run('INSERT 1');
  await world.hub.take('query');
  world.hub.isWedged = true;
  Object.assign(world.script, answer);
  await wait(world, 10_000);
  assert.equal(world.connects.length, 1, 'it may be busy for a while');
  await wait(world, PULSE_MS);
  assert.equal((await within(write, 'the write')).changes, 0);
  assert.deepEqual(world.connects.map(connect => connect.workerName), [0, 1].map(generation => workerName('app.db', generation)));
  assert.match(world.logs[0].message, /no sign of life for 10000 ms/);
});

test('one that shows signs of life may take as long as it likes', async t => {
  const world = createWorld(t);
  const db = await world.open();
  const write = later(db.run('INSERT 1', [], { timeout: 600_000 }));
  await wait(world, 300_000);
  assert.equal(db.status.state, 'open');
  world.hub.reply((await world.hub.take('query')).id, { rows: { columns: [], rows: 0, changes: 1, last_insert_rowid: '1' } }, [[]]);
  assert.equal((await within(write, 'the write')).changes, 1);
});

test('one that cannot suspend a statement is given the longest statement and more', async t => {
  const world = createWorld(t);
  const db = await world.open();
  world.receiver.message({ tabhub: 'starting', hub: 'hub-1', yields: false });
  later(db.run('INSERT 1', [], { timeout: 600_000 }));
  await settle();
  world.hub.isWedged = true;
  await wait(world, 40_000);
  assert.equal(db.status.state, 'open');
  await wait(world, PULSE_MS);
  assert.equal(db.status.hub, 'hub-2');
});

test('an idle tab asks for nothing, and a tab that was itself asleep does not take the silence for the hub\'s', async t => {
  const world = createWorld(t);
  const db = await world.open();
  await wait(world, 60_000);
  assert.equal(world.deadlines(), 0);
  later(db.run('INSERT 1', [], { timeout: 600_000 }));
  await settle();
  world.advance(120_000);
  await settle();
  assert.equal(db.status.state, 'open');
});

test('without Web Locks the silence is the only sign, and is noticed within about a second, asked or not', async t => {
  const world = createWorld(t, answer, { locks: null });
  const db = await world.open();
  world.hub.isDead = true;
  await wait(world, 1_000, 250);
  assert.equal(db.status.state, 'open');
  await wait(world, 250, 250);
  assert.deepEqual([db.status.state, db.status.hub], ['open', 'hub-2']);
});

test('a page that comes back from the cache says hello once more, under a new lock', async t => {
  const world = createWorld(t, answer);
  const db = await world.open();
  world.page('hide');
  assert.equal(db.status.state, 'open', 'it may not come back at all');
  world.page('show');
  await settle();
  assert.deepEqual([db.status.state, db.status.hub, world.connects.length], ['open', 'hub-2', 2]);
  const [{ op: { hello } }] = world.hub.received;
  assert.equal(hello.lock, 'tabhub:app.db:tab:client-1:2');
  assert.deepEqual([world.locks.isHeld('tabhub:app.db:tab:client-1'), world.locks.isHeld(hello.lock)], [false, true]);
  assert.equal(world.connects[1].workerName, world.connects[0].workerName, 'the worker is not to blame');
});

test('a page that is put aside while it looks for a hub does not give up', async t => {
  const world = createWorld(t, answer);
  const db = await world.open();
  world.script.hello = () => {};
  world.hub.die();
  await settle();
  world.page('freeze');
  world.advance(120_000);
  await settle();
  assert.equal(db.status.state, 'reconnecting');
  world.script.hello = answer.hello ?? ((request, hub) => hub.welcome(request));
  world.page('resume');
  await wait(world, 2_000, 100);
  assert.equal(db.status.state, 'open');
});

test('a hub of a later version is served by, and told of', async t => {
  const outdated = [];
  const world = createWorld(t, { ...answer, hello: (request, hub) => hub.welcome(request, { version: '0.2.0' }) });
  const db = await world.open({ onOutdated: event => outdated.push(event) });
  assert.deepEqual(await db.all('SELECT 1'), []);
  assert.deepEqual(outdated, [{ page: '0.1.0', hub: '0.2.0' }]);
  const refused = createWorld(t, { hello: ({ id }, hub) => hub.fail(id, 'HUB_OUTDATED') });
  await rejects(refused.open({ onOutdated: event => outdated.push(event) }), 'HUB_OUTDATED');
  assert.equal(outdated.length, 2);
});
