/** Streams with credits: iterate, export, import. */
import assert from 'node:assert/strict';
import { createWorld, done, rejects, settle, within, test } from './world.mjs';

const PART = 512 * 1024;
const column = [{ name: 'n', type: 'INTEGER' }];

/** A hub that streams `chunks` of two rows each, two ahead, then one per pull; it counts what it sent. */
function streaming(chunks) {
  const state = { sent: 0 };
  const send = hub => {
    const first = state.sent * 2, end = state.sent === chunks - 1;
    hub.reply(state.id, { chunk: { ...(state.sent === 0 && { columns: column }), rows: 2, end } }, [[{ integer: String(first) }, { integer: String(first + 1) }]]);
    state.sent += 1;
  };
  const iterate = ({ id }, hub) => { state.id = id; for (let credit = 0; credit < Math.min(2, chunks); credit++) send(hub); };
  return { state, script: { iterate, pull(request, hub) { assert.equal(request.op.pull.target, state.id); if (state.sent < chunks) send(hub); } } };
}

test('iterate yields every row once, in order', async t => {
  const { script } = streaming(5);
  const world = createWorld(t, script);
  const db = await world.open();
  const rows = [];
  for await (const row of db.iterate('SELECT n FROM t WHERE n < ?', [10], { timeout: 100 })) rows.push(row.n);
  assert.deepEqual(rows, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  const { op, blocks } = await world.hub.take('iterate');
  assert.deepEqual(op.iterate, { sql: 'SELECT n FROM t WHERE n < ?', params: { count: 1 }, timeout: 100 });
  assert.deepEqual(blocks, [[{ integer: '10' }]]);
  assert.equal(world.hub.has('cancel'), false);
  assert.equal(world.deadlines(), 0);
});

test('a slow consumer holds the hub back to two chunks ahead', async t => {
  const { state, script } = streaming(100);
  const world = createWorld(t, script);
  const db = await world.open();
  const rows = db.iterate('SELECT n');
  const sent = [];
  for (let row = 0; row < 10; row++) {
    await within(rows.next(), 'a row');
    await settle();
    sent.push(state.sent);
  }
  // Two at first; one more each time a chunk of two rows was used up.
  assert.deepEqual(sent, [2, 2, 3, 3, 4, 4, 5, 5, 6, 6]);
  await rows.return();
});

test('nothing is asked before the first row is wanted', async t => {
  const world = createWorld(t);
  const db = await world.open();
  const rows = db.iterate('SELECT 1');
  await settle();
  assert.equal(world.hub.has('iterate'), false);
  await rows.return();
  assert.equal(world.hub.has('cancel'), false);
});

test('leaving the loop stops the cursor', async t => {
  const { state, script } = streaming(100);
  const world = createWorld(t, script);
  const db = await world.open();
  for await (const row of db.iterate('SELECT n')) if (row.n === 3) break;
  assert.deepEqual((await world.hub.take('cancel')).op.cancel, { target: state.id });
});

test('a throw in the loop stops the cursor', async t => {
  const { script } = streaming(100);
  const world = createWorld(t, script);
  const db = await world.open();
  await assert.rejects(async () => { for await (const _ of db.iterate('SELECT n')) throw new RangeError('mine'); }, RangeError);
  await world.hub.take('cancel');
});

test('a signal ends the loop and the cursor', async t => {
  const { script } = streaming(100);
  const world = createWorld(t, script);
  const db = await world.open();
  const abort = new AbortController();
  const seen = [];
  const loop = (async () => { for await (const row of db.iterate('SELECT n', [], { signal: abort.signal })) { seen.push(row.n); if (row.n === 1) abort.abort(); } })();
  await rejects(loop, 'HUB_CANCELLED');
  assert.deepEqual(seen, [0, 1]);
  await world.hub.take('cancel');
  await settle();
  assert.equal(world.hub.has('cancel'), false, 'one cancel is enough');
});

test('an error in the middle of a stream ends it after the rows before', async t => {
  const world = createWorld(t, {
    iterate: ({ id }, hub) => hub.reply(id, { chunk: { columns: column, rows: 1, end: false } }, [[{ integer: '1' }]]),
    pull: ({ op }, hub) => hub.reply(op.pull.target, { error: { code: 'HUB_TIMEOUT', message: 'too long', outcome: 'not-applied' } }),
  });
  const rows = (await world.open()).iterate('SELECT n');
  assert.deepEqual(await rows.next(), { value: { n: 1 }, done: false });
  await rejects(rows.next(), 'HUB_TIMEOUT');
});

test('iterate of an empty result ends at once', async t => {
  const world = createWorld(t, { iterate: ({ id }, hub) => hub.reply(id, { chunk: { columns: column, rows: 0, end: true } }, [[]]) });
  assert.deepEqual(await (await world.open()).iterate('SELECT n').next(), { value: undefined, done: true });
});

test('iterate honours rowMode and bigint', async t => {
  const { script } = streaming(1);
  const rows = (await createWorld(t, script).open()).prepare('SELECT n').iterate([], { rowMode: 'array', bigint: 'bigint' });
  assert.deepEqual((await rows.next()).value, [0n]);
});

/** A hub that exports `file` in parts of `size`. */
function exporting(file, size) {
  const state = { at: 0, pulls: 0 };
  const send = hub => {
    const bytes = file.subarray(state.at, state.at + size);
    hub.reply(state.id, { bytes: { offset: state.at, total: file.length, end: state.at + bytes.length === file.length } }, bytes);
    state.at += bytes.length;
  };
  return { state, script: { export({ id }, hub) { state.id = id; send(hub); if (state.at < file.length) send(hub); }, pull(_, hub) { state.pulls += 1; if (state.at < file.length) send(hub); } } };
}

test('export answers the whole file and tells how far it is', async t => {
  const file = Uint8Array.from({ length: 1000 }, (_, index) => index);
  const { script } = exporting(file, 300);
  const db = await createWorld(t, script).open();
  const progress = [];
  assert.deepEqual(await db.export({ onProgress: (...step) => progress.push(step) }), file);
  assert.deepEqual(progress, [[300, 1000], [600, 1000], [900, 1000], [1000, 1000]]);
});

test('exportStream asks for parts only as they are read, and stops when cancelled', async t => {
  const file = new Uint8Array(10_000);
  const { state, script } = exporting(file, 100);
  const world = createWorld(t, script);
  const stream = (await world.open()).exportStream();
  await settle();
  assert.equal(world.hub.has('export'), false);
  const reader = stream.getReader();
  await reader.read();
  await reader.read();
  await settle();
  assert.equal(state.pulls, 2);
  await reader.cancel();
  assert.deepEqual((await world.hub.take('cancel')).op.cancel, { target: state.id });
});

test('an export that fails rejects', async t => {
  const db = await createWorld(t, { export: ({ id }, hub) => hub.reply(id, { error: { code: 'HUB_CORRUPT', message: 'x', outcome: 'not-applied' } }) }).open();
  await rejects(db.export(), 'HUB_CORRUPT');
});

/** A hub that takes an import, one part per credit, and keeps what came. */
function importing() {
  const state = { parts: [], received: 0, ends: [] };
  const more = hub => hub.reply(state.id, { more: { received: state.received } });
  return { state, script: {
    import({ id, op }, hub) { state.id = id; state.size = op.import.size; more(hub); },
    part({ id, op, payload }, hub) {
      assert.deepEqual([id, op.part.target], [0, state.id]);
      state.parts.push(Buffer.from(payload));
      state.received += payload.length;
      state.ends.push(op.part.end);
      if (op.part.end) hub.reply(state.id, done);
      else more(hub);
    },
  } };
}

for (const [label, make] of [['bytes', bytes => bytes], ['an ArrayBuffer', bytes => bytes.slice().buffer], ['a Blob', bytes => new Blob([bytes])], ['a view', bytes => new DataView(bytes.slice().buffer)]]) {
  test(`import sends ${label} in parts of at most 512 KiB`, async t => {
    const file = Uint8Array.from({ length: PART * 2 + 3 }, (_, index) => index * 7);
    const { state, script } = importing();
    const db = await createWorld(t, script).open();
    const progress = [];
    await db.import(make(file), { onProgress: (...step) => progress.push(step) });
    assert.equal(state.size, file.length);
    assert.deepEqual(state.parts.map(part => part.length), [PART, PART, 3]);
    assert.deepEqual(state.ends, [false, false, true]);
    assert.equal(Buffer.compare(Buffer.concat(state.parts), file), 0);
    assert.deepEqual(progress, [[PART, file.length], [PART * 2, file.length], [file.length, file.length]]);
  });
}

test('an empty import is one empty part; the hub judges it', async t => {
  const { state, script } = importing();
  await (await createWorld(t, script).open()).import(new Uint8Array(0));
  assert.deepEqual([state.parts.map(part => part.length), state.ends], [[0], [true]]);
});

test('an import the hub refuses in the middle stops', async t => {
  const { state, script } = importing();
  const world = createWorld(t, { ...script, part: (_, hub) => hub.reply(state.id, { error: { code: 'HUB_NOT_A_DATABASE', message: 'no header', outcome: 'not-applied' } }) });
  await rejects((await world.open()).import(new Uint8Array(PART * 3)), 'HUB_NOT_A_DATABASE');
});

test('a source that is no file is refused by name', async t => {
  const world = createWorld(t);
  const db = await world.open();
  for (const source of [undefined, null, 'file.db', 7, {}, [1, 2]]) assert.match((await rejects(db.import(source), 'HUB_BAD_VALUE')).message, /import.*Blob/);
  assert.equal(world.hub.received.length, 1, 'only hello was sent');
});

test('a Blob that cannot be read cancels the import', async t => {
  const { script } = importing();
  const world = createWorld(t, script);
  const db = await world.open();
  const blob = new Blob(['x']);
  blob.slice = () => ({ arrayBuffer: () => Promise.reject(new Error('the file has changed')) });
  assert.match((await rejects(db.import(blob), 'HUB_BAD_VALUE')).message, /the file has changed/);
  await world.hub.take('cancel');
});

test("an aborted import waits for the hub's verdict", async t => {
  const world = createWorld(t, { import: () => {} , cancel: ({ op }, hub) => hub.reply(op.cancel.target, { error: { code: 'HUB_CANCELLED', message: 'stopped', outcome: 'not-applied' } }) });
  const db = await world.open();
  const abort = new AbortController();
  const call = db.import(new Uint8Array(5), { signal: abort.signal });
  await world.hub.take('import');
  abort.abort();
  await rejects(call, 'HUB_CANCELLED');
});
