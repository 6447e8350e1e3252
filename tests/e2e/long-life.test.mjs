// At stake: in Chromium a reload of the only tab finds its hub again, warm; and a page that asks for a worker with the usual life, beside tabs
// that asked for the long one, is served too.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withWorld } from './world.mjs';

const WARM = 'warm.db';

test('the hub outlives a reload of the only tab, and pages that differ in what they ask for share it', { timeout: 120_000 }, async (t) => {
  await withWorld(t, async (world) => {
    const tab = await world.tab(WARM, { page: 'esm.html?lasting' });
    await tab.run(() => db.exec('CREATE TABLE t (v); INSERT INTO t VALUES (1)'));
    const { hub } = await tab.run(() => db.status);
    for (let times = 0; times < 3; times++) {
      await tab.reload();
      await tab.run(async () => (globalThis.db = await tabhub.open('warm.db')) && null);
      assert.equal(await tab.run(() => db.status.hub), hub, 'the same hub, which still has everything in memory');
      await tab.run((v) => db.run('INSERT INTO t VALUES (?)', [v]), times);
    }
    const plain = await world.tab(WARM);
    assert.equal(await plain.run(() => db.status.hub), hub);
    assert.deepEqual(await plain.run(() => db.all('SELECT count(*) AS n FROM t')), [{ n: 4 }]);
  });
});

test('one that was started for the usual life is reached by those that ask for the long one', { timeout: 120_000 }, async (t) => {
  await withWorld(t, async (world) => {
    const plain = await world.tab(WARM);
    await plain.run(() => db.exec('CREATE TABLE t (v)'));
    const lasting = await world.tab(WARM, { page: 'esm.html?lasting' });
    await lasting.run(() => db.run('INSERT INTO t VALUES (1)'));
    assert.deepEqual(await plain.run(() => db.all('SELECT v FROM t')), [{ v: 1 }]);
    assert.equal(await lasting.run(() => db.status.hub), await plain.run(() => db.status.hub));
  });
});
