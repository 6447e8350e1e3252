/** Migrations: what is carried out, in which order, and what becomes of an open that fails in one. */
import assert from 'node:assert/strict';
import { documented } from './documented.mjs';
import { createWorld, done, rejects, test } from './world.mjs';

/** A hub that knows a version, and keeps what is carried out in a transaction until it is committed. */
function versioned(version, fails = '') {
  const state = { version, ran: [], open: [] };
  const script = {
    query: ({ id }, hub) => hub.reply(id, { rows: { columns: [{ name: 'user_version', type: null }], rows: 1, changes: 0, last_insert_rowid: '0' } }, [[{ integer: String(state.version) }]]),
    begin: ({ id }, hub) => { state.open = []; hub.reply(id, { begun: { tx: 5 } }); },
    exec({ id, op: { exec } }, hub) {
      if (exec.sql === fails) return hub.fail(id, 'SQLITE_ERROR');
      state.open.push(exec.sql);
      hub.reply(id, done);
    },
    commit({ id }, hub) {
      state.ran.push(...state.open);
      hub.reply(id, done);
    },
    rollback: ({ id }, hub) => { state.rolledBack = true; hub.reply(id, done); },
  };
  return { state, script };
}

const steps = [{ version: 1, up: 'one' }, { version: 2, up: 'two' }, { version: 5, up: async tx => { await tx.exec('five'); } }];

test('what is missing is carried out in one transaction, in order', async t => {
  const { state, script } = versioned(1);
  await createWorld(t, script).open({ migrations: steps });
  assert.deepEqual(state.ran, ['two', 'five', 'PRAGMA user_version = 5']);
});

test('where nothing is missing no transaction is begun', async t => {
  const { script } = versioned(5);
  const world = createWorld(t, { ...script, begin: () => assert.fail('begun') });
  await world.open({ migrations: steps });
});

test('who finds that another tab has come first does nothing', async t => {
  const { state, script } = versioned(0);
  const { begin } = script;
  await createWorld(t, { ...script, begin(...all) { state.version = 5; begin(...all); } }).open({ migrations: steps });
  assert.deepEqual(state.ran, []);
});

test('one that fails leaves the database as it was, and the open with its error', async t => {
  const { state, script } = versioned(0, 'two');
  const error = await rejects(createWorld(t, script).open({ migrations: steps }), 'HUB_MIGRATION_FAILED');
  documented('HUB_MIGRATION_FAILED', error);
  assert.match(error.message, /to version 2 failed.*SQLITE_ERROR/);
  assert.deepEqual([state.ran, state.rolledBack, error.cause.code, error.sql], [[], true, 'SQLITE_ERROR', 'two']);
});

test('a database of a later page is refused', async t => {
  const { script } = versioned(6);
  const error = await rejects(createWorld(t, script).open({ migrations: steps }), 'HUB_SCHEMA_NEWER');
  documented('HUB_SCHEMA_NEWER', error);
  assert.match(error.message, /version 6.*end at 5/);
});

test('what is unfit is refused by name', async t => {
  const up = 'x';
  for (const migrations of [{}, [null], [{ version: 0, up }], [{ version: 1.5, up }], [{ version: 2, up }, { version: 2, up }], [{ version: 1 }], [{ version: 2 ** 31, up }]]) {
    const error = await rejects(createWorld(t).open({ migrations }), 'HUB_BAD_OPTION');
    assert.match(error.message, /'migrations'/);
  }
});
