/** Deleting a database: by its hub, or without one where none can open it. */
import assert from 'node:assert/strict';
import { deleteDatabase, deleteStorage } from './client.mjs';
import { documented } from './documented.mjs';
import { createWorld, rejects, test, within } from './world.mjs';

const fatal = code => (_, hub) => hub.reply(0, { fatal: { code, message: code, outcome: 'not-applied' } });

function createDeletion(t, script) {
  const deleted = [];
  const world = createWorld(t, script, { deleteStorage: async name => { deleted.push(name); } });
  return { world, deleted, run: options => within(deleteDatabase(world.env, { workerUrl: 'https://app.example/lib/hub.js' }, 'app.db', options), 'the deletion') };
}

test('the hub deletes it, and all is done when it says so', async t => {
  const { world, deleted, run } = createDeletion(t, { destroy: fatal('HUB_DELETED') });
  await run();
  assert.deepEqual(deleted, []);
  assert.deepEqual(world.locks.names(), ['tabhub:app.db:hub:hub-1'], 'nothing is left of the session');
});

test('what the hub refuses, or could not do, is the error', async t => {
  const { world, run } = createDeletion(t, { destroy: ({ id }, hub) => hub.fail(id, 'HUB_REFUSED') });
  await rejects(run(), 'HUB_REFUSED');
  assert.deepEqual(world.locks.names(), ['tabhub:app.db:hub:hub-1'], 'nothing is left of the session');
  await rejects(createDeletion(t, { destroy: fatal('HUB_STORAGE') }).run(), 'HUB_STORAGE');
});

test('a deletion under which the hub dies is asked of the next', async t => {
  let asked = 0;
  const { run } = createDeletion(t, { destroy: (request, hub) => ++asked === 1 ? hub.die() : fatal('HUB_DELETED')(request, hub) });
  await run();
  assert.equal(asked, 2);
});

test('a database that no hub can open is deleted without one', async t => {
  for (const code of ['HUB_CORRUPT', 'HUB_FORMAT']) {
    const { deleted, run } = createDeletion(t, { hello: ({ id }, hub) => hub.fail(id, code) });
    await run();
    assert.deepEqual(deleted, ['app.db']);
  }
});

test('what the browser does not delete is the error, with its reason', async t => {
  const request = { error: new DOMException('Internal error.', 'UnknownError') };
  globalThis.indexedDB = { deleteDatabase: () => { queueMicrotask(() => request.onerror()); return request; } };
  t.after(() => delete globalThis.indexedDB);
  const error = await rejects(deleteStorage('app.db'), 'HUB_STORAGE', 'unknown');
  documented('HUB_STORAGE', error);
  assert.match(error.message, /UnknownError: Internal error/);
});

test('its arguments are checked like those of open', async t => {
  const { run } = createDeletion(t, {});
  assert.match((await rejects(run({ worker: 'x' }), 'HUB_BAD_OPTION')).message, /^deleteDatabase: there is no option 'worker'/);
});
