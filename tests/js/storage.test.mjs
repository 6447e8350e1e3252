/** The hub's storage as a tab sees it: its state, the check, and what can be salvaged. */
import assert from 'node:assert/strict';
import { createWorld, later, noRows, rejects, settle, test, within } from './world.mjs';

const checked = (stage, done, total, problems = [], end = false) => ({ checked: { stage, done, total, problems, end } });

/** A hub that answers a check with `steps`, two ahead, then one per pull. */
function checking(steps) {
  const state = { sent: 0, pulls: 0 };
  const send = hub => { if (state.sent < steps.length) hub.reply(state.id, steps[state.sent++]); };
  return { state, script: { check({ id }, hub) { state.id = id; send(hub); send(hub); }, pull({ op }, hub) { assert.equal(op.pull.target, state.id); state.pulls += 1; send(hub); } } };
}

const STEPS = [
  checked('log', 2, 2), checked('groups', 5, 10, ['block group 3: wrong checksum']), checked('groups', 10, 10, ['block group 8 is missing', 'block group 9 is missing']), checked('sqlite', 1, 1, [], true),
];

test('the state of the storage comes with the welcome', async t => {
  const world = createWorld(t, { hello: (request, hub) => hub.welcome(request, { storage: 'read-only' }) });
  assert.equal((await world.open()).status.storage, 'read-only');
});

test('each change of the storage is a status event and a message of the log', async t => {
  const world = createWorld(t);
  const db = await world.open();
  const seen = [], logged = [];
  db.on('status', ({ state, storage }) => seen.push(`${state} ${storage}`));
  db.on('log', event => logged.push(event));
  for (const state of ['reconnecting', 'stalled', 'stalled', 'read-only', 'ok']) world.hub.reply(0, { storage: { state, message: `is ${state}` } });
  await settle();
  assert.deepEqual(seen, ['open reconnecting', 'open stalled', 'open read-only', 'open ok']);
  assert.deepEqual(logged.map(({ level, message }) => `${level} ${message}`), ['warn is reconnecting', 'warn is stalled', 'warn is stalled', 'warn is read-only', 'info is ok']);
  assert.deepEqual(world.logs.map(({ database, level }) => [database, level]), [['app.db', 'warn'], ['app.db', 'warn'], ['app.db', 'warn'], ['app.db', 'warn'], ['app.db', 'info']]);
  assert.equal(db.status.storage, 'ok');
});

test('a message of the storage before the welcome is logged; the welcome tells the state', async t => {
  const world = createWorld(t, { hello(request, hub) { hub.reply(0, { storage: { state: 'stalled', message: 'slow' } }); hub.welcome(request); } });
  const db = await world.open();
  assert.deepEqual([db.status.storage, world.logs[0].message], ['ok', 'slow']);
});

test("after a change of hub the storage is the new hub's", async t => {
  const world = createWorld(t);
  const db = await world.open();
  world.hub.reply(0, { storage: { state: 'stalled', message: 'no answer' } });
  await settle();
  world.hub.die();
  await settle();
  assert.deepEqual([db.status.hub, db.status.storage], ['hub-2', 'ok']);
});

test('a write that waits for a stalled storage is answered when it goes on', async t => {
  const world = createWorld(t);
  const db = await world.open();
  const write = db.run('INSERT 1');
  const { id } = await world.hub.take('query');
  world.hub.reply(0, { storage: { state: 'stalled', message: 'no answer' } });
  world.hub.reply(0, { storage: { state: 'ok', message: 'it goes on' } });
  world.hub.reply(id, noRows, [[]]);
  assert.equal((await write).changes, 0);
});

test('a check gathers the problems of all stages and tells how far it is', async t => {
  const { state, script } = checking(STEPS);
  const world = createWorld(t, script);
  const db = await world.open();
  const progress = [];
  const result = await within(db.check({ level: 'full', onProgress: step => progress.push(step) }), 'the check');
  assert.deepEqual(result, { ok: false, problems: ['block group 3: wrong checksum', 'block group 8 is missing', 'block group 9 is missing'] });
  assert.deepEqual(progress, [{ stage: 'log', done: 2, total: 2 }, { stage: 'groups', done: 5, total: 10 }, { stage: 'groups', done: 10, total: 10 }, { stage: 'sqlite', done: 1, total: 1 }]);
  assert.deepEqual((await world.hub.take('check')).op.check, { level: 'full' });
  assert.equal(state.pulls, 2, 'one for each step that was consumed, none once the last has come');
  assert.equal(world.hub.has('cancel'), false);
});

test('a check without problems is ok; by default it is quick', async t => {
  const world = createWorld(t, checking([checked('sqlite', 1, 1, [], true)]).script);
  assert.deepEqual(await (await world.open()).check(), { ok: true, problems: [] });
  const { op, write } = await world.hub.take('check');
  assert.deepEqual([op.check, write], [{ level: 'quick' }, undefined]);
});

test('a signal or a throw of onProgress stops the check', async t => {
  for (const stop of ['signal', 'throw']) {
    const { state, script } = checking(STEPS);
    const world = createWorld(t, script);
    const db = await world.open();
    const abort = new AbortController();
    const call = later(db.check({ signal: abort.signal, onProgress() { if (stop === 'throw') throw new RangeError('mine'); abort.abort(); } }));
    if (stop === 'throw') await assert.rejects(within(call, 'the check'), RangeError);
    else await rejects(call, 'HUB_CANCELLED');
    assert.deepEqual((await world.hub.take('cancel')).op.cancel, { target: state.id });
  }
});

test('check refuses what is no option of it', async t => {
  const db = await createWorld(t).open();
  for (const [options, offender] of [[{ level: 'deep' }, "'level'"], [{ onProgress: true }, "'onProgress'"], [{ timeout: 5 }, "'timeout'"], ['full', 'object']]) {
    assert.ok((await rejects(db.check(options), 'HUB_BAD_OPTION')).message.includes(offender));
  }
});

test('a check that the hub cannot carry out rejects', async t => {
  const db = await createWorld(t, { check: ({ id }, hub) => hub.fail(id, 'HUB_STORAGE') }).open();
  await rejects(db.check(), 'HUB_STORAGE');
});

test('salvage answers what can be read, and how much cannot', async t => {
  const parts = [[[1, 2, 3, 4]], [[0, 0, 0, 0], 4], [[5, 0, 0], 2]];
  let at = 0, target;
  const send = hub => {
    const [bytes, lost] = parts.shift();
    hub.reply(target, { bytes: { offset: at, total: 11, end: parts.length === 0, ...(lost && { lost }) } }, Uint8Array.from(bytes));
    at += bytes.length;
  };
  const world = createWorld(t, { export({ id }, hub) { target = id; send(hub); send(hub); }, pull(_, hub) { if (parts.length > 0) send(hub); } });
  const db = await world.open();
  const progress = [];
  const { file, lostBytes } = await within(db.salvage({ onProgress: (...step) => progress.push(step) }), 'the salvage');
  assert.deepEqual([...file], [1, 2, 3, 4, 0, 0, 0, 0, 5, 0, 0]);
  assert.equal(lostBytes, 6);
  assert.deepEqual(progress, [[4, 11], [8, 11], [11, 11]]);
  assert.deepEqual((await world.hub.take('export')).op.export, { salvage: true });
});

test('an export does not ask to salvage', async t => {
  const world = createWorld(t, { export: ({ id }, hub) => hub.reply(id, { bytes: { offset: 0, total: 0, end: true } }) });
  await (await world.open()).export();
  assert.deepEqual((await world.hub.take('export')).op.export, {});
});

test('salvage can be stopped, and refuses what is no option of it', async t => {
  const world = createWorld(t);
  const db = await world.open();
  const abort = new AbortController();
  const call = later(db.salvage({ signal: abort.signal }));
  const { id } = await world.hub.take('export');
  abort.abort();
  await rejects(call, 'HUB_CANCELLED');
  assert.deepEqual((await world.hub.take('cancel')).op.cancel, { target: id });
  assert.match((await rejects(db.salvage({ level: 'full' }), 'HUB_BAD_OPTION')).message, /salvage.*'level'/);
});

test('a throw of onProgress stops an export and an import', async t => {
  const world = createWorld(t, {
    export: ({ id }, hub) => hub.reply(id, { bytes: { offset: 0, total: 9, end: false } }, new Uint8Array(3)),
    import: ({ id }, hub) => hub.reply(id, { more: { received: 0 } }), part: ({ op }, hub) => hub.reply(op.part.target, { more: { received: 4 } }),
  });
  const db = await world.open();
  const onProgress = () => { throw new RangeError('mine'); };
  for (const [kind, call] of [['export', db.export({ onProgress })], ['import', db.import(new Uint8Array(4), { onProgress })]]) {
    await assert.rejects(within(call, kind), RangeError);
    const { id } = await world.hub.take(kind);
    assert.equal((await world.hub.take('cancel')).op.cancel.target, id);
  }
});
