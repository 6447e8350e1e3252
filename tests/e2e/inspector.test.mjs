// At stake: whoever looks for what is stuck must find it, and be able to end it, wherever the hub runs; and looking must change nothing.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from './deadline.mjs';
import { ENGINE } from './engines.mjs';
import { withWorld } from './world.mjs';

const SEEN_MS = 10_000;
/** A hub without JSPI answers nobody while it runs a statement that gives no rows. */
const BUSY = ENGINE === 'webkit' && 'without JSPI nobody can look into a statement';

for (const mode of ['shared', 'leader']) {
  test(`the inspector sees what tabs do, and stops it, in ${mode} mode`, { timeout: 120_000 }, async (t) => {
    await withWorld(t, async (world) => {
      const [one, other] = await world.tabs(2, 'app.db', { options: { mode } });
      await one.run(begin);
      const page = await world.tab(null, { page: '/examples/inspector/?database=app.db' });
      const rows = (id) => page.ask((id) => [...document.querySelectorAll(`#${id} tbody tr`)].map((row) => row.textContent), id);
      await until(SEEN_MS, 'three sessions', async () => (await rows('sessions')).length === 3);
      await world.step('the live query and its follower', async () => {
        assert.match((await rows('live'))[0], /SELECT v FROM item/);
        assert.ok((await rows('requests')).some((row) => /live.*open/.test(row)));
      });
      await world.step('a statement that runs on and on is cancelled', async () => {
        await other.run(() => { globalThis.stuck = db.all(harness.endless).catch(({ code, message }) => `${code}: ${message}`); });
        await until(SEEN_MS, 'it to be listed', async () => (await rows('requests')).some((row) => /WITH RECURSIVE.*(running|suspended)/i.test(row)));
        await page.ask(() => [...document.querySelectorAll('#requests tr')].find((row) => /RECURSIVE/i.test(row.textContent)).querySelector('button').click());
        assert.equal(await other.run(() => stuck), 'HUB_CANCELLED: another tab cancelled the request, through inspect()');
        await until(SEEN_MS, 'it to be gone', async () => !(await rows('requests')).some((row) => /RECURSIVE/i.test(row)));
        assert.equal(await other.run(() => db.get('SELECT count(*) AS n FROM item').then(({ n }) => n)), 2, 'the tab goes on');
      }, { skip: BUSY });
      await world.step('who holds the writer, and who waits for it', async () => {
        await one.run(() => { globalThis.held = db.transaction(() => new Promise((resolve) => { globalThis.release = resolve; })); });
        await other.run(() => { globalThis.waits = db.run("INSERT INTO item (v) VALUES ('waits')"); });
        await until(SEEN_MS, 'the transaction', async () => (await rows('transactions')).some((row) => /write.*idle/.test(row)));
        await until(SEEN_MS, 'the write in line', async () => (await rows('requests')).some((row) => /INSERT.*awaiting-writer/.test(row)));
        await one.run(() => { release(); return held; });
        await other.run(() => waits.then(() => true));
      });
      await world.step('it is told of no error, and leaves no session behind', async () => {
        assert.deepEqual(page.console.filter((line) => /^(error|warning|uncaught)/.test(line)), []);
        await page.close();
        await until(SEEN_MS, 'its session to end', () => one.run(() => db.metrics().then(({ sessions }) => sessions === 2)));
      });
    });
  });
}

/* Runs in the page. */
async function begin() {
  await db.exec("CREATE TABLE item (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO item (v) VALUES ('a'), ('b')");
  await new Promise((resolve) => { db.live('SELECT v FROM item').subscribe(resolve); });
}
