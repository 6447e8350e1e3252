// At stake: a hub that can go on no more says why, to every tab, and does not stand in the way of the next one.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from './deadline.mjs';
import { withWorld } from './world.mjs';

test('a hub whose storage was deleted tells its tabs and makes room for a fresh one', { timeout: 120_000 }, async (t) => {
  await withWorld(t, async (world) => {
    const [first, second] = await world.tabs(2, 'app.db');
    await first.run(() => db.exec('CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1)'));
    const old = await first.run(() => db.status.hub);
    await second.run(deleteStorage);

    const refused = await first.run(() => db.run('INSERT INTO t VALUES (2)').then(() => 'stored', ({ code, outcome }) => ({ code, outcome })));
    assert.deepEqual(refused, { code: 'HUB_FENCED', outcome: 'not-applied' });
    for (const tab of [first, second]) await until(5_000, 'the tab to hear of it', () => tab.run(() => db.status.state === 'failed'));

    await until(10_000, 'a fresh hub', () => first.run(reopen), 300);
    assert.notEqual(await first.run(() => db.status.hub), old);
    assert.equal(await first.run(() => db.run('CREATE TABLE t (id INTEGER PRIMARY KEY)').then(() => 'empty and writable')), 'empty and writable');
    await second.run(reopen);
    assert.deepEqual(await second.run(() => db.all('SELECT count(*) AS n FROM t')), [{ n: 0 }]);
  });
});

/* These run in the page. */
function deleteStorage() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.deleteDatabase('tabhub:app.db');
    request.onsuccess = () => resolve();
    request.onerror = () => reject(request.error);
    request.onblocked = () => reject(new Error('the hub did not let go of the database'));
  });
}

async function reopen() {
  const fresh = await tabhub.open('app.db').catch(() => null);
  if (fresh) globalThis.db = fresh;
  return fresh !== null;
}
