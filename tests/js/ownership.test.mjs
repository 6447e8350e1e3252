/** Which of several workers has the database: over fake Web Locks and a real BroadcastChannel. At stake: two hubs that take it from each other without end. */
import assert from 'node:assert/strict';
import { Ownership } from './client.mjs';
import { FakeLocks, test, within } from './world.mjs';

const ABOUT = { build: '1.4.0', protocol: 4, format: 3 };
let databases = 0;

/** Workers of one database; what each is asked for and loses is noted. */
function createWorkers(t, { locks = new FakeLocks(), hasChannel = true } = {}) {
  const database = `ownership-${++databases}`, events = [];
  const add = (hub, about = {}, patienceMs = 300) => {
    const channel = hasChannel ? new BroadcastChannel(`tabhub:${database}`) : undefined;
    t.after(() => channel?.close());
    const note = what => () => events.push(`${hub} ${what}`);
    const worker = new Ownership({ database, hub, about: { ...ABOUT, ...about }, locks, channel, patienceMs, onAsked: note('asked'), onStolen: note('robbed') });
    return Object.assign(worker, { leave: () => channel?.close() });
  };
  return { add, events, locks, isHeld: () => locks?.isHeld(`tabhub:${database}:owner`) };
}

const take = worker => within(worker.take(), 'the ownership');

for (const [how, locks] of [['with Web Locks', () => new FakeLocks()], ['without', () => undefined]]) {
  test(`the first worker has the database, later ones learn whose it is (${how})`, async t => {
    const { add, events } = createWorkers(t, { locks: locks() });
    assert.equal(await take(add('first')), undefined);
    assert.equal(await take(add('second')), 'first');
    assert.equal(await take(add('older', { build: '1.3.9' })), 'first');
    assert.deepEqual(events, []);
  });

  test(`a newer build gets the database as soon as the older one has let go of it (${how})`, async t => {
    for (const newer of [{ build: '1.10.0' }, { format: 4 }, { protocol: 5, build: '1.0.0' }]) {
      const { add, events } = createWorkers(t, { locks: locks() });
      const first = add('first');
      await take(first);
      let isTaken = false;
      const second = add('second', newer, 1_500);
      const taking = take(second).then(hub => { isTaken = true; return hub; });
      while (events.length === 0) await new Promise(resolve => setTimeout(resolve, 5));
      assert.equal(events[0], 'first asked');
      assert.equal(isTaken, false, 'the older one is not done yet');
      first.release();
      assert.equal(await taking, undefined);
      assert.equal(await take(add('third')), 'second');
    }
  });
}

test('who comes while the older build finishes does not get the database before the newer one', async t => {
  const { add, events } = createWorkers(t);
  const first = add('first');
  await take(first);
  const second = take(add('second', { build: '2.0.0' }));
  while (events.length === 0) await new Promise(resolve => setTimeout(resolve, 5));
  first.leave();
  const rivals = ['third', 'fourth'].map(hub => take(add(hub)));
  await new Promise(resolve => setTimeout(resolve, 60));
  first.release();
  assert.equal(await second, undefined);
  assert.deepEqual(await Promise.all(rivals), ['second', 'second']);
});

test('a worker that dies leaves the database to the next at once, whatever its patience', async t => {
  const { add, events } = createWorkers(t);
  const first = add('first');
  await take(first);
  first.leave();
  const taking = take(add('second', {}, 60_000));
  first.release();
  assert.equal(await taking, undefined);
  assert.deepEqual(events, []);
});

test('one that is silent beyond patience is robbed, once, and told so', async t => {
  const { add, events, isHeld } = createWorkers(t);
  const first = add('first');
  await take(first);
  first.leave();
  assert.equal(await take(add('second')), undefined);
  assert.deepEqual(events, ['first robbed']);
  assert.ok(isHeld());
});

test('of workers that come at once one has the database, and the others are told which', async t => {
  for (const locks of [new FakeLocks(), new FakeLocks()]) {
    const { add } = createWorkers(t, { locks });
    const names = ['a', 'b', 'c', 'd'];
    const owners = await Promise.all(names.map(hub => take(add(hub))));
    const winner = names[owners.indexOf(undefined)];
    assert.deepEqual(owners.filter(Boolean), [winner, winner, winner]);
  }
});

test('without a channel nobody can be asked: the lock alone decides', async t => {
  const { add, events } = createWorkers(t, { hasChannel: false });
  await take(add('first'));
  assert.equal(await take(add('second')), undefined);
  assert.deepEqual(events, ['first robbed']);
});

test('what others post to the channel is not taken for an answer', async t => {
  const { add } = createWorkers(t);
  const stranger = new BroadcastChannel(`tabhub:ownership-${databases}`);
  t.after(() => stranger.close());
  stranger.onmessage = () => { for (const noise of ['here', null, { tabhub: 'here' }, { tabhub: 'here', hub: 7 }, { tabhub: 'yield' }]) stranger.postMessage(noise); };
  assert.equal(await take(add('first')), undefined);
  assert.equal(await take(add('second')), 'first');
});
