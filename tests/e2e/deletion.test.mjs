// At stake: a database is deleted while many tabs have it open. It is gone when the call resolves, every tab hears of it by name, and whoever
// opens it next begins with an empty one; nobody writes into the new one what was meant for the old.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from './deadline.mjs';
import { EVERY_ENGINE } from './engines.mjs';
import { byTurns } from './rounds.mjs';
import { withWorld } from './world.mjs';

for (const { engine, skip } of byTurns(EVERY_ENGINE)) {
  for (const mode of ['shared', 'leader']) {
    test(`deleteDatabase with four tabs open in ${engine}, mode ${mode}`, { timeout: 120_000, skip }, async (t) => {
      await withWorld(t, async (world) => {
        const options = { mode };
        const tabs = await world.tabs(4, 'gone.db', { options });
        await tabs[0].run(() => db.exec('CREATE TABLE t (v); INSERT INTO t VALUES (1)'));
        await world.tab('other.db', { options });
        await tabs[2].run((options) => tabhub.deleteDatabase('gone.db', options), options);
        const stored = await tabs[0].run(async () => (await indexedDB.databases()).map(({ name }) => name));
        assert.deepEqual(stored.filter((name) => name.startsWith('tabhub:')), ['tabhub:other.db'], 'nothing is left of it');
        for (const tab of tabs) {
          await until(10_000, 'the tab to hear of it', () => tab.run(() => db.status.state === 'failed'));
          await assert.rejects(tab.run(() => db.run('INSERT INTO t VALUES (2)')), { code: 'HUB_DELETED', outcome: 'not-applied' });
        }
        await tabs[3].run(async (options) => (globalThis.db = await tabhub.open('gone.db', options)) && null, options);
        assert.deepEqual(await tabs[3].run(() => db.all('SELECT name FROM sqlite_schema')), []);
        await tabs[1].run((options) => tabhub.deleteDatabase('never-opened.db', options), options);
      }, { engine });
    });
  }
}
