/** Live queries on the client's side: how its rows are put together, who is told, and what becomes of them when the hub is lost. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { difference } from './client.mjs';
import { fail } from './failover.mjs';
import { createWorld, rejects, settle, test, within } from './world.mjs';

const columns = [{ name: 'id', type: 'INTEGER' }, { name: 'n', type: null }];
const integers = rows => [rows.flat().map(n => ({ integer: String(n) }))];

/** A hub that answers `live` with these rows, and lets the test send more. */
function following(rows) {
  const state = { pulls: 0, asked: 0 };
  return {
    state,
    live({ id }, hub) {
      state.asked += 1;
      state.id = id;
      hub.reply(id, { live: { commit: 40, columns, fresh: rows.length, parts: rows.length > 0 ? [0, rows.length] : [] } }, integers(rows));
    },
    pull: () => { state.pulls += 1; },
  };
}

const next = (world, { state }, parts, fresh = []) => {
  world.hub.reply(state.id, { live: { commit: 41, fresh: fresh.length, parts } }, integers(fresh));
  return settle();
};

async function begin(t, rows, options, overrides) {
  const hub = following(rows);
  const world = createWorld(t, hub, overrides);
  const db = await world.open();
  return { hub, world, db, live: db.live('SELECT id, n FROM t WHERE n > ?', [0], options) };
}

test('nothing is asked before somebody looks; then the rows come, and what is new of them', async t => {
  const { hub, world, live } = await begin(t, [[1, 10], [2, 20], [3, 30]]);
  await settle();
  assert.deepEqual([hub.state.asked, live.getSnapshot()], [0, undefined]);
  const told = [];
  live.subscribe(rows => told.push(rows));
  await settle();
  const { op, blocks } = await world.hub.take('live');
  assert.deepEqual([op.live, blocks], [{ sql: 'SELECT id, n FROM t WHERE n > ?', params: { count: 1 } }, [[{ integer: '0' }]]]);
  await next(world, hub, [3, 1, 1, 1, 0, 1], [[4, 40]]);
  assert.deepEqual(told.map(rows => rows.map(({ id }) => id)), [[1, 2, 3], [3, 1, 4]]);
  assert.equal(told[1][1], told[0][0], 'a row that stays is the same object');
  assert.equal(live.getSnapshot(), told[1]);
  assert.equal(hub.state.pulls, 2, 'one for each state that was taken');
  const late = [];
  live.subscribe({ next: rows => late.push(rows) });
  assert.deepEqual(late, [told[1]], 'who comes later is told at once');
  assert.equal(hub.state.asked, 1);
});

test('the last one to go ends it, but not one who comes back in the same moment', async t => {
  const { hub, world, live } = await begin(t, [[1, 10]]);
  const stop = live.subscribe(() => {});
  await settle();
  stop();
  const again = live.subscribe(() => {});
  world.advance(0);
  await settle();
  assert.equal(world.hub.has('cancel'), false);
  again.unsubscribe();
  again();
  world.advance(0);
  await settle();
  assert.equal((await world.hub.take('cancel')).op.cancel.target, hub.state.id);
  const rows = [];
  live.subscribe(list => rows.push(list));
  await settle();
  assert.deepEqual([hub.state.asked, rows.length], [2, 1], 'it begins anew, and what is the same is told once');
});

test('after its hub is lost it goes on with the next, and tells only what differs', async t => {
  const { world, live } = await begin(t, [[1, 10], [2, 20]], { key: 'id' });
  const told = [], diffs = [];
  live.subscribe(rows => told.push(rows));
  live.onDiff(diff => diffs.push(diff));
  await settle();
  await fail(world);
  assert.equal(told.length, 1, 'nothing has changed');
  await fail(world, following([[2, 20], [1, 11], [3, 30]]));
  assert.deepEqual(told.map(rows => rows.length), [2, 3]);
  assert.equal(told[1][0], told[0][1]);
  const [first, second] = diffs;
  assert.deepEqual([first.added.length, second.added, second.updated, second.removed, second.moved], [2, [{ id: 3, n: 30 }], [{ id: 1, n: 11 }], [], []]);
});

test('an error ends it, and is told to everybody once', async t => {
  const { world, live } = await begin(t, []);
  world.script.live = ({ id }, hub) => hub.fail(id, 'SQLITE_ERROR');
  const errors = [];
  live.subscribe({ error: error => errors.push(error.code) });
  live.subscribe({ error: error => errors.push(error.code) });
  await settle();
  assert.deepEqual([errors, live.error.code], [['SQLITE_ERROR', 'SQLITE_ERROR'], 'SQLITE_ERROR']);
  await rejects(live[Symbol.asyncIterator]().next(), 'SQLITE_ERROR');
});

test('closing the database completes it', async t => {
  const { db, live } = await begin(t, [[1, 1]]);
  let ends = 0;
  live.subscribe({ complete: () => { ends += 1; }, error: assert.fail });
  const loop = (async () => { let states = 0; for await (const rows of live) { assert.equal(rows.length, 1); states += 1; } return states; })();
  await settle();
  await db.close();
  assert.equal(await within(loop, 'the loop to end'), 1);
  assert.equal(ends, 1);
});

test('a loop that takes long gets the latest state', async t => {
  const { hub, world, live } = await begin(t, [[1, 1]]);
  const states = live[Symbol.asyncIterator]();
  assert.equal((await within(states.next(), 'a state')).value[0].n, 1);
  await next(world, hub, [0, 1], [[1, 2]]);
  await next(world, hub, [0, 1], [[1, 3]]);
  assert.equal((await within(states.next(), 'a state')).value[0].n, 3);
  await states.return();
  world.advance(0);
  await settle();
  assert.ok(world.hub.has('cancel'));
});

test('the hub is asked for more no sooner than wanted, and less often for a page that nobody sees', async t => {
  const { hub, world, live } = await begin(t, [[1, 1]], { throttle: 200 });
  live.subscribe(() => {});
  await settle();
  world.advance(199);
  await settle();
  assert.equal(hub.state.pulls, 0);
  world.advance(1);
  await settle();
  assert.equal(hub.state.pulls, 1);
  world.env.page.isVisible = false;
  await next(world, hub, [0, 1], [[1, 2]]);
  world.advance(999);
  await settle();
  assert.equal(hub.state.pulls, 1);
  world.advance(1);
  await settle();
  assert.equal(hub.state.pulls, 2);
});

test('it is what RxJS and Svelte take it for', async t => {
  const { live } = await begin(t, [[1, 1]]);
  assert.equal(live[Symbol.observable ?? '@@observable'](), live);
  const { subscribe } = live;
  const stop = subscribe(() => {});
  assert.equal(typeof stop, 'function');
  assert.equal(typeof stop.unsubscribe, 'function');
});

test('what is unfit is refused by name', async t => {
  const { db, live } = await begin(t, []);
  const code = (act, name) => assert.throws(act, error => error.code === name, name);
  code(() => db.live(7), 'HUB_BAD_REQUEST');
  code(() => db.live('SELECT ?', [Symbol('no')]), 'HUB_BAD_VALUE');
  code(() => db.live('SELECT 1', [], { key: 7 }), 'HUB_BAD_OPTION');
  code(() => db.live('SELECT 1', [], { throttle: -1 }), 'HUB_BAD_OPTION');
  code(() => db.live('SELECT 1', [], { timeout: 5 }), 'HUB_BAD_OPTION');
  code(() => live.subscribe(null), 'HUB_BAD_REQUEST');
  code(() => live.onDiff({}), 'HUB_BAD_REQUEST');
});

test('a listener that throws harms nobody else', async t => {
  const { live } = await begin(t, [[1, 1]]);
  const thrown = [];
  const previous = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  process.once('uncaughtException', error => thrown.push(error.message));
  t.after(() => previous.forEach(listener => process.on('uncaughtException', listener)));
  let seen = 0;
  live.subscribe(() => { throw new Error('mine'); });
  live.subscribe(() => { seen += 1; });
  await settle();
  assert.deepEqual([seen, thrown], [1, ['mine']]);
});

test('a difference names each row once, and leads from one state to the next', () => {
  const list = fc.uniqueArray(fc.record({ id: fc.nat(12), n: fc.nat(2) }), { selector: ({ id }) => id, maxLength: 12 });
  fc.assert(fc.property(list, list, fc.array(fc.boolean(), { minLength: 12, maxLength: 12 }), (before, others, isKept) => {
    // Rows that have not changed are the same objects, wherever they stand.
    const after = others.map((row, at) => isKept[at] && before.find(({ id }) => id === row.id) || row);
    const { added, updated, removed, moved } = difference(before, after, 'id');
    const ids = rows => rows.map(({ id }) => id).sort((a, b) => a - b);
    assert.deepEqual(ids(added), ids(after.filter(({ id }) => !before.some(row => row.id === id))));
    assert.deepEqual(ids(removed), ids(before.filter(({ id }) => !after.some(row => row.id === id))));
    assert.deepEqual(ids(updated), ids(after.filter(row => !before.includes(row) && before.some(({ id }) => id === row.id))));
    const still = after.filter(row => before.includes(row) && !moved.includes(row));
    assert.deepEqual(still, before.filter(row => still.includes(row)), 'the others stand as they did');
  }));
});

test('few rows are moved where few have moved', () => {
  const rows = Array.from({ length: 100 }, (_, id) => ({ id }));
  const { moved, added, removed } = difference(rows, [rows[99], ...rows.slice(0, 99)]);
  assert.deepEqual([moved, added, removed], [[rows[99]], [], []]);
});
