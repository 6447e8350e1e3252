/** Opening: hello, what it says of itself, and every way it can fail. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BUILD, FORMAT, PROTOCOL_VERSION, ROOT, workerName } from './client.mjs';
import { documented } from './documented.mjs';
import { FakeLocks, createWorld, later, rejects, settle, test } from './world.mjs';

test('hello says who the tab is and what it wants', async t => {
  const world = createWorld(t);
  await world.open({ persistence: 'preferred', durability: 'relaxed' });
  const hello = await world.hub.take('hello');
  assert.deepEqual(hello.op.hello, {
    protocol: PROTOCOL_VERSION, format: FORMAT, client: 'client-1', lock: 'tabhub:app.db:tab:client-1', build: BUILD, persistence: 'preferred', durability: 'relaxed',
  });
  assert.ok(hello.id > 0);
  assert.deepEqual(world.connects, [{ url: 'https://app.example/lib/hub.js', workerName: workerName('app.db', 0) }]);
});

test('the build told in hello is the version of the package', () => {
  assert.equal(BUILD, JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).version);
});

test("the tab's lock is held before hello, so that no death goes unseen", async t => {
  let held;
  const locks = new FakeLocks();
  const world = createWorld(t, { hello(request, hub) { held = locks.isHeld(request.op.hello.lock); hub.welcome(request); } }, { locks });
  await world.open();
  assert.equal(held, true);
});

test('without Web Locks hello names no lock', async t => {
  const world = createWorld(t, {}, { locks: null });
  await world.open();
  assert.equal((await world.hub.take('hello')).op.hello.lock, '');
});

test('status tells what the hub is', async t => {
  const world = createWorld(t, { hello: (request, hub) => hub.welcome(request, { persistence: 'memory' }) });
  const db = await world.open();
  assert.equal(db.name, 'app.db');
  assert.deepEqual(db.status, { state: 'open', mode: 'shared', role: 'client', hub: 'hub-1', epoch: 7, persistence: 'memory', found: 'stored', storage: 'ok', version: '0.1.0', sqlite: '3.53.4' });
});

test('workerUrl and wasmUrl are resolved against the page, and the worker is told of the wasm', async t => {
  const world = createWorld(t);
  await world.open({ workerUrl: 'w/hub.js?v=1', wasmUrl: '/cdn/hub v2.wasm' });
  const url = new URL(world.connects[0].url);
  assert.equal(url.origin + url.pathname, 'https://app.example/page/w/hub.js');
  assert.equal(url.searchParams.get('v'), '1');
  assert.equal(url.searchParams.get('wasm'), 'https://app.example/cdn/hub%20v2.wasm');
});

test('hub.wasm beside hub.js goes without saying; under the name that a bundler gave it, it is said, unless the page has its own hub.js', async t => {
  const { openDatabase } = await import('./client.mjs');
  const told = async (files, options) => {
    const world = createWorld(t);
    await openDatabase(world.env, files, 'app.db', options);
    return world.connects[0].url;
  };
  const plain = { workerUrl: 'https://app.example/lib/hub.js', wasmUrl: 'https://app.example/lib/hub.wasm' };
  // Next.js gives paths.
  const bundled = { workerUrl: '/static/hub.a1.js?dpl=7', wasmUrl: '/static/hub.b2.wasm' };
  assert.equal(await told(plain), plain.workerUrl);
  assert.equal(await told(bundled), `https://app.example/static/hub.a1.js?dpl=7&wasm=${encodeURIComponent('https://app.example/static/hub.b2.wasm')}`);
  assert.equal(await told(bundled, { workerUrl: '/own/hub.js' }), 'https://app.example/own/hub.js');
  assert.equal(await told({}, { workerUrl: '/own/hub.js?v=1', wasmUrl: '/own/hub.wasm' }), 'https://app.example/own/hub.js?v=1');
});

test('a worker script that cannot be loaded, under another name either, fails the open at once and is named', async t => {
  const world = createWorld(t, { hello() {} });
  const opening = world.open();
  await settle();
  world.receiver.loadFailed();
  await settle();
  assert.deepEqual(world.connects.map(connect => connect.workerName), [0, 1].map(generation => workerName('app.db', generation)), 'the first may be taken by others, on other terms');
  world.receiver.loadFailed();
  const error = await rejects(opening, 'HUB_LOAD_FAILED');
  documented('HUB_LOAD_FAILED', error);
  assert.match(error.message, /https:\/\/app\.example\/lib\/hub\.js/);
  assert.deepEqual(world.locks.names(), []);
  assert.ok(world.portClosed);
});

test('a worker the platform refuses fails the open with its reason', async t => {
  const world = createWorld(t, {}, { connect() { throw new Error('cross-origin'); } });
  const error = await rejects(world.open(), 'HUB_LOAD_FAILED');
  assert.match(error.message, /hub\.js.*cross-origin/);
});

test('a wasm that cannot be loaded comes as fatal and fails the open', async t => {
  const world = createWorld(t, { hello: (_, hub) => hub.reply(0, { fatal: { code: 'HUB_LOAD_FAILED', message: 'https://x/hub.wasm: 404', outcome: 'not-applied' } }) });
  const error = await rejects(world.open(), 'HUB_LOAD_FAILED');
  assert.equal(error.message, 'https://x/hub.wasm: 404');
});

test('a hub that stays silent fails the open after ten seconds, naming the worker', async t => {
  const world = createWorld(t, { hello() {} });
  const opening = world.open();
  for (const ms of [3_000, 3_000, 3_999]) {
    await settle();
    world.advance(ms);
  }
  await settle();
  assert.deepEqual(world.connects.map(connect => connect.workerName), [0, 0, 1].map(generation => workerName('app.db', generation)), 'twice silent is wedged');
  assert.equal(world.portClosed, undefined);
  world.advance(1);
  const error = await rejects(opening, 'HUB_LOAD_TIMEOUT');
  documented('HUB_LOAD_TIMEOUT', error);
  assert.match(error.message, /4000 ms.*hello.*https:\/\/app\.example\/lib\/hub\.js/);
});

test('a worker that shows signs of life is waited for, up to a minute', async t => {
  const world = createWorld(t, { hello() {} });
  const opening = later(world.open());
  for (; world.now < 60_000; world.advance(1_000), await settle()) world.receiver.message({ tabhub: 'starting', hub: 'hub-1', yields: true });
  assert.match((await rejects(opening, 'HUB_LOAD_TIMEOUT')).message, /60000 ms/);
  assert.equal(world.connects.length, 1);
});

test('a tab lock that is never granted fails the open after ten seconds, saying so', async t => {
  const world = createWorld(t, {}, { locks: { request: () => new Promise(() => {}) } });
  const opening = world.open();
  for (const ms of [3_000, 3_000, 4_000]) {
    await settle();
    world.advance(ms);
  }
  assert.match((await rejects(opening, 'HUB_LOAD_TIMEOUT')).message, /Web Lock/);
});

test('a tab lock that the browser refuses fails the open with its reason', async t => {
  const world = createWorld(t, {}, { locks: { request: () => Promise.reject(new Error('opaque origin')) } });
  assert.match((await rejects(world.open(), 'HUB_UNSUPPORTED')).message, /opaque origin/);
});

test('an error in answer to hello is the error of open', async t => {
  const world = createWorld(t, { hello: ({ id }, hub) => hub.reply(id, { error: { code: 'HUB_STORAGE_UNAVAILABLE', message: 'IndexedDB is off', outcome: 'not-applied' } }) });
  assert.equal((await rejects(world.open(), 'HUB_STORAGE_UNAVAILABLE')).message, 'IndexedDB is off');
  assert.deepEqual(world.locks.names(), []);
});

test("an open that meets a failed hub's farewell goes to the next worker", async t => {
  for (const code of ['HUB_FENCED', 'HUB_REPLACED', 'HUB_DELETED']) {
    let hellos = 0;
    const over = { code, message: 'this hub is over', outcome: 'not-applied' };
    const world = createWorld(t, { hello: (request, hub) => ++hellos === 1 ? hub.reply(0, { fatal: over }) : hub.welcome(request) });
    assert.equal((await world.open()).status.state, 'open');
    assert.deepEqual(world.connects.map(connect => connect.workerName), [0, 1].map(generation => workerName('app.db', generation)));
  }
});

test('a hub that is over again and again is the error of open', async t => {
  const over = { code: 'HUB_POISONED', message: 'storage is gone', outcome: 'unknown' };
  const world = createWorld(t, { hello: (_, hub) => hub.reply(0, { fatal: over }) });
  await rejects(world.open(), 'HUB_POISONED', 'unknown');
  assert.equal(world.connects.length, 3);
});

test('a hub of another protocol is refused', async t => {
  const world = createWorld(t, { hello: (request, hub) => hub.welcome(request, { protocol: PROTOCOL_VERSION + 1 }) });
  assert.match((await rejects(world.open(), 'HUB_PROTOCOL')).message, /one version/);
});

test('where tabhub cannot run, open says what is missing', async t => {
  const world = createWorld(t, {}, { missing: 'no SharedWorker' });
  assert.match((await rejects(world.open(), 'HUB_UNSUPPORTED')).message, /no SharedWorker/);
  assert.deepEqual(world.connects, []);
});

for (const [options, offender] of [
  [{ durabilty: 'strict' }, 'durabilty'], [{ cacheBytes: 1000 }, 'cacheBytes'], [{ cacheBlocks: 1.5 }, 'cacheBlocks'], [{ cacheBytes: 2 ** 24, cacheBlocks: 100 }, 'cacheBlocks'], [{ durability: 'eventual' }, 'durability'], [{ persistence: true }, 'persistence'],
  [{ workerUrl: 7 }, 'workerUrl'], [{ wasmUrl: '' }, 'wasmUrl'], [{ workerUrl: 'https://[' }, 'workerUrl'], [{ onLog: 'console' }, 'onLog'], [{ onOutdated: true }, 'onOutdated'], [{ mode: 'dedicated' }, 'mode'],
  ['strict', 'object'], [null, 'object'], [{ toString: 1 }, "no option 'toString'"],
]) {
  test(`open refuses the options ${JSON.stringify(options)} and names the offender`, async t => {
    const world = createWorld(t);
    const error = await rejects(world.open(options), 'HUB_BAD_OPTION');
    assert.ok(error.message.includes(offender), error.message);
    assert.deepEqual(world.connects, []);
  });
}

test('open names an option that there is not, and those that there are', async t => {
  documented('HUB_BAD_OPTION', await rejects(createWorld(t).open({ worker: 'hub.js' }), 'HUB_BAD_OPTION'));
});

test('a database needs a name', async t => {
  const { openDatabase } = await import('./client.mjs');
  const world = createWorld(t);
  for (const name of ['', undefined, 7, '\ud800']) await rejects(openDatabase(world.env, { workerUrl: 'https://x/hub.js' }, name), 'HUB_BAD_REQUEST');
});

test('a script that does not know its URL asks for workerUrl', async t => {
  const { openDatabase } = await import('./client.mjs');
  const world = createWorld(t);
  assert.match((await rejects(openDatabase(world.env, {}, 'app.db'), 'HUB_BAD_OPTION')).message, /workerUrl/);
});
