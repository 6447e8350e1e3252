// At stake: a hub that can go on no more says why, to every tab, and the next one goes on where there is anything left to go on with.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { documented } from '../js/documented.mjs';
import { until } from './deadline.mjs';
import { withWorld } from './world.mjs';

test('a hub whose storage was deleted tells its tabs and makes room for a fresh one', { timeout: 120_000 }, async (t) => {
  await withWorld(t, async (world) => {
    const [first, second] = await world.tabs(2, 'app.db');
    await first.run(() => db.exec('CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1)'));
    const old = await first.run(() => db.status.hub);
    await second.run(deleteStorage);

    const refused = await first.run(() => db.run('INSERT INTO t VALUES (2)').then(() => 'stored', ({ code, outcome }) => ({ code, outcome })));
    assert.deepEqual(refused, { code: 'HUB_DELETED', outcome: 'not-applied' });
    for (const tab of [first, second]) await until(5_000, 'the tab to hear of it', () => tab.run(() => db.status.state === 'failed'));

    await first.run(reopen);
    assert.notEqual(await first.run(() => db.status.hub), old);
    assert.equal(await first.run(() => db.run('CREATE TABLE t (id INTEGER PRIMARY KEY)').then(() => 'empty and writable')), 'empty and writable');
    await second.run(reopen);
    assert.deepEqual(await second.run(() => db.all('SELECT count(*) AS n FROM t')), [{ n: 0 }]);
  });
});

test('what goes wrong in the worker is heard in every tab', { timeout: 120_000 }, async (t) => {
  await withWorld(t, async (world) => {
    const options = { workerUrl: '/broken/faulty.js', wasmUrl: '/dist/hub.wasm' };
    const tabs = await world.tabs(2, 'app.db', { options });
    await tabs[0].run(() => db.exec('CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1)'));
    for (const tab of tabs) await tab.run(listen);

    for (const [fault, words] of [['reject', 'a rejection nobody handled'], ['throw', 'an error nobody caught']]) {
      await tabs[0].run(setOff, fault);
      for (const tab of tabs) await until(5_000, `the log to tell of "${words}"`, () => tab.run(heard, words));
      assert.deepEqual(await tabs[1].run(() => db.all('SELECT id FROM t')), [{ id: 1 }], 'the hub goes on');
    }

    const old = await tabs[0].run(() => db.status.hub);
    await tabs[0].run(setOff, 'trap');
    for (const tab of tabs) {
      await until(10_000, 'the tab to go on with another hub', () => tab.run((old) => db.status.state === 'open' && db.status.hub !== old, old));
      const { message } = await tab.run(() => logged.find(({ message }) => message.includes('HUB_PANICKED')));
      const [, crash, code] = /^the hub is over: (.+) \((HUB_\w+)\); looking for another$/.exec(message);
      documented('HUB_PANICKED', { code, message: crash });
      assert.deepEqual(await tab.run(() => db.all('SELECT id FROM t')), [{ id: 1 }], 'what was acknowledged is there');
    }
  });
});

/* These run in the page. */
function listen() {
  globalThis.logged = [];
  db.on('log', (event) => logged.push(event));
}

const setOff = (fault) => new BroadcastChannel('faults').postMessage(fault);

const heard = (words) => logged.some(({ level, message }) => level === 'error' && message.includes(words));

function deleteStorage() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.deleteDatabase('tabhub:app.db');
    request.onsuccess = () => resolve();
    request.onerror = () => reject(request.error);
    request.onblocked = () => reject(new Error('the hub did not let go of the database'));
  });
}

async function reopen() {
  globalThis.db = await tabhub.open('app.db');
}
