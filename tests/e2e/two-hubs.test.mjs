// At stake: two deployed versions, or two URLs of the worker, on one database. One hub owns it at a time: a later version gets it from an
// earlier one, which finishes first; all others are led to the owner. No tab is told anything, nothing acked is lost, nothing happens twice.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EVERY_ENGINE } from './engines.mjs';
import { acksOf, createLedger, everyLaneAcked, heard, problemsOf, readLedger, startWriting } from './ledger.mjs';
import { byTurns } from './rounds.mjs';
import { withWorld } from './world.mjs';

const DATABASE = 'two-hubs.db';
/** Each opens the database while the tabs before it write: two more URLs, two later versions, an earlier one. */
const DEPLOYMENTS = ['/dist/hub.js?url=1', '/dist/hub.js?url=2', '/release-2/hub.js', '/release-7/hub.js', '/release-3/hub.js'];

for (const { engine, skip } of byTurns(EVERY_ENGINE)) {
  test(`versions and URLs of the worker share one database in ${engine}`, { timeout: 240_000, skip }, async (t) => {
    await withWorld(t, async (world) => {
      const { lines } = world.site;
      const tabs = [];
      const epochs = [];
      for (const [number, workerUrl] of DEPLOYMENTS.entries()) {
        const tab = await world.tab(DATABASE, { page: 'ledger.html', options: { workerUrl, wasmUrl: '/dist/hub.wasm' } });
        if (tabs.push(tab) === 1) await createLedger(tab);
        await startWriting([tab], [number]);
        await everyLaneAcked(lines, lines.all.length, [...tabs.keys()], `with ${workerUrl}`);
        epochs.push((await tab.run(() => db.status)).epoch);
      }
      await Promise.all(tabs.map((tab) => tab.run(() => ledger.stop())));
      const numbers = [...tabs.keys()];
      const said = heard(lines.all, numbers);
      assert.deepEqual(problemsOf(said, await readLedger(tabs[0], numbers), numbers, { open: false }), []);
      assert.deepEqual(epochs.map((epoch) => epoch - epochs[0]), [0, 0, 1, 2, 2], 'a hub took over for each later version, and for nothing else');
      const hubs = await Promise.all(tabs.map((tab) => tab.run(() => db.status.hub)));
      assert.equal(new Set(hubs).size, 1, 'all tabs are with one hub');
      t.diagnostic(`${acksOf(said)} acks, ${said.lost} open transactions lost`);
    }, { engine });
  });
}
