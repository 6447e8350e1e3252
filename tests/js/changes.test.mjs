/** onChange on the client's side: what is told of commits, and what is said when a hub was lost in between. */
import assert from 'node:assert/strict';
import { fail } from './failover.mjs';
import { createWorld, settle, test } from './world.mjs';

const told = (commit, tables = [], about = {}) => ({ changed: { commit, own: false, schema: false, tables, ...about } });
const integers = numbers => [numbers.map(n => ({ integer: String(n) }))];

async function begin(t, filter = {}) {
  const state = {};
  const world = createWorld(t, { changes({ id, op }, hub) { Object.assign(state, { id, op }); hub.reply(id, told(state.commit ?? 40), [[]]); } });
  const db = await world.open();
  const changes = [];
  const off = db.onChange(filter, change => changes.push(change));
  await settle();
  return { world, db, changes, off, state };
}

test('each commit is told with its tables, kinds, rows and where it came from', async t => {
  const { world, changes, state } = await begin(t, { tables: ['a', 'b'] });
  assert.deepEqual([state.op.changes, changes], [{ tables: ['a', 'b'] }, []]);
  const tables = [{ table: 'a', insert: true, update: false, delete: true, rows: 2 }, { table: 'f', insert: false, update: true, delete: false }, { table: 'b', insert: false, update: true, delete: false, rows: 1 }];
  world.hub.reply(state.id, told(41, tables, { own: true }), integers([7, '9007199254740993', 8]));
  world.hub.reply(state.id, told(42, [], { schema: true }), [[]]);
  await settle();
  assert.deepEqual(changes, [
    { commit: 41, origin: 'this tab', everything: false, tables: [{ table: 'a', kinds: ['insert', 'delete'], rowIds: [7, 9007199254740993n] }, { table: 'f', kinds: ['update'] }, { table: 'b', kinds: ['update'], rowIds: [8] }] },
    { commit: 42, origin: 'another', everything: true, tables: [] },
  ]);
});

test('what was committed while there was no hub may be anything; if nothing was, nothing is told', async t => {
  const { world, changes, state } = await begin(t);
  await fail(world);
  assert.deepEqual(changes, []);
  state.commit = 43;
  await fail(world);
  assert.deepEqual(changes, [{ commit: 43, origin: 'another', everything: true, tables: [] }]);
});

test('it ends when it is told to', async t => {
  const { world, changes, state, off } = await begin(t);
  off();
  await settle();
  assert.equal((await world.hub.take('cancel')).op.cancel.target, state.id);
  world.hub.reply(state.id, told(41), [[]]);
  await settle();
  assert.deepEqual(changes, []);
});

test('what is unfit is refused by name', async t => {
  const { db } = await begin(t);
  for (const [filter, callback, code] of [[{}, 7, 'HUB_BAD_REQUEST'], [null, () => {}, 'HUB_BAD_OPTION'], [{ table: 'a' }, () => {}, 'HUB_BAD_OPTION'], [{ tables: 'a' }, () => {}, 'HUB_BAD_OPTION'], [{ tables: [] }, () => {}, 'HUB_BAD_OPTION']]) {
    assert.throws(() => db.onChange(filter, callback), error => error.code === code, JSON.stringify(filter));
  }
});
