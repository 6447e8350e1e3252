// At stake: an eviction that nobody notices, a backup that is half of one, and a page that waits for ever for a permission.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EVERY_ENGINE } from './engines.mjs';
import { byTurns } from './rounds.mjs';
import { withWorld } from './world.mjs';

/** Chromium decides by itself; Firefox would ask a person, who is not there. */
const PERSISTED = { chromium: 'refused', firefox: 'undecided' };
const DATABASE = 'kept.db';

// WebKitGTK has no navigator.storage.
for (const { engine, skip } of byTurns(EVERY_ENGINE.filter(({ engine }) => engine !== 'webkit'))) {
  test(`the storage of ${engine}: asking, listing, backing up, and missing what was there`, { timeout: 120_000, skip }, async (t) => {
    await withWorld(t, async (world) => {
      const tab = await world.tab(DATABASE);
      await world.step('what the browser says', async () => {
        const { persisted, usage, quota, isPersistent } = await tab.run(async (timeout) => ({ persisted: await tabhub.persist({ timeout }), ...await tabhub.estimate() }), PERSISTED[engine] === 'undecided' ? 500 : 20_000);
        assert.equal(persisted, PERSISTED[engine]);
        assert.ok(usage >= 0 && quota > 2 ** 20, `${usage} of ${quota}`);
        assert.equal(isPersistent, false);
        await assert.rejects(tab.run(() => tabhub.persist({ wait: 1 })), { code: 'HUB_BAD_OPTION' });
      });
      await world.step('a backup is whole, and one that is stopped leaves the one before', () => backUp(tab));
      await world.step('what was there is told from what is new', async () => {
        const [first, second] = [await world.tab('new.db'), await world.tab('new.db')];
        assert.deepEqual([await first.run(found), await second.run(found)], ['new', 'new']);
        await first.run(() => db.exec('CREATE TABLE t (x)'));
        const third = await world.tab('new.db');
        assert.equal(await third.run(found), 'stored');
        assert.deepEqual(await third.run(() => tabhub.databases()), [DATABASE, 'new.db']);
        for (const one of [first, second]) await one.close();
        assert.equal(await third.run(evict), 'HUB_DELETED');
        assert.equal(await third.run(reopen), 'lost');
        await third.run(() => tabhub.deleteDatabase('new.db'));
        assert.deepEqual([await third.run(reopen), await third.run(() => tabhub.databases())], ['new', [DATABASE, 'new.db']]);
      });
    }, { engine });
  });
}

async function backUp(tab) {
  const { progress, rows, code, still, refused, streamed } = await tab.run(async () => {
    await db.exec('CREATE TABLE t (id INTEGER PRIMARY KEY, pad)');
    await db.batch(Array.from({ length: 900 }, () => ['INSERT INTO t (pad) VALUES (?)', [new Uint8Array(3_000)]]));
    const progress = [];
    await db.backup('backups/app.db', { onProgress: (done, total) => progress.push([done, total]) });
    const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle('backups');
    const read = async () => (await folder.getFileHandle('app.db')).getFile();
    await db.exec('DELETE FROM t');
    const { size } = await read();
    const stop = new AbortController();
    const { code } = await db.backup(await folder.getFileHandle('app.db'), { signal: stop.signal, onProgress: () => stop.abort() }).catch((error) => error);
    const still = (await read()).size === size;
    await db.import(await read());
    const refused = [];
    for (const target of ['', 'a//b', '../a', 7, {}]) refused.push((await db.backup(target).catch((error) => error)).code);
    let streamed = 0;
    await db.backup(new WritableStream({ write: (part) => { streamed += part.length; } }));
    return { progress, rows: (await db.get('SELECT count(*) AS n FROM t')).n, code, still, refused, streamed: streamed === size };
  });
  assert.deepEqual([rows, code, still, streamed], [900, 'HUB_CANCELLED', true, true]);
  assert.ok(progress.length > 3 && progress.every(([done, total], at) => done <= total && (at === 0 || done > progress[at - 1][0])), JSON.stringify(progress));
  assert.deepEqual(progress.at(-1)[0], progress.at(-1)[1]);
  assert.deepEqual(refused, ['HUB_BAD_REQUEST', 'HUB_BAD_REQUEST', 'HUB_BAD_REQUEST', 'HUB_BAD_VALUE', 'HUB_BAD_VALUE']);
}

/* These run in the page. */
const found = () => db.status.found;

/** Deletes the database behind every back, as the browser does (Firefox would delete localStorage with it); the hub that had it open notices when it next needs it. */
async function evict() {
  await new Promise((resolve, reject) => {
    const request = indexedDB.deleteDatabase('tabhub:new.db');
    request.onsuccess = resolve;
    request.onerror = reject;
  });
  return db.run('INSERT INTO t VALUES (1)').then(() => 'written', ({ code }) => code);
}

async function reopen() {
  await globalThis.db.close().catch(() => {});
  globalThis.db = await tabhub.open('new.db');
  return db.status.found;
}
