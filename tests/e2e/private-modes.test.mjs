// At stake: browsers and private modes that lack what tabhub builds on. It works with what is left, with a failover where there can be one,
// or says by name why it cannot; it never opens a database that one tab cannot share with the next.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { documented } from '../js/documented.mjs';
import { EVERY_ENGINE } from './engines.mjs';
import { byTurns } from './rounds.mjs';
import { withWorld } from './world.mjs';

const noStorage = (error) => documented('HUB_STORAGE_UNAVAILABLE', error);
const unsupported = (error) => documented('HUB_UNSUPPORTED', error);

/** `mode` absent: tabhub chooses. `refused`: checks the error of the first `open`; `second`: of the second tab's. Else both work, and outlive the hub. */
const CASES = [
  { without: 'SharedWorker', chosen: 'leader' },
  { without: 'locks', mode: 'shared', chosen: 'shared' },
  { without: 'locks', mode: 'leader', chosen: 'leader' },
  { without: 'SharedWorker,locks', chosen: 'leader' },
  { without: 'localStorage', mode: 'leader', chosen: 'leader' },
  { without: 'localStorage', mode: 'shared', chosen: 'shared' },
  { without: 'SharedWorker,localStorage', chosen: 'leader' },
  { without: 'BroadcastChannel', mode: 'shared', chosen: 'shared' },
  { without: 'BroadcastChannel', mode: 'leader', chosen: 'leader', second: 'HUB_UNREACHABLE' },
  { without: 'indexedDB', refused: noStorage },
  { without: 'locks,localStorage', mode: 'leader', refused: unsupported },
  { without: 'SharedWorker,locks,localStorage', refused: unsupported },
];

for (const { engine, skip } of byTurns(EVERY_ENGINE)) {
  test(`what a browser lacks has a named outcome in ${engine}`, { timeout: 300_000, skip }, async (t) => {
    await withWorld(t, async (world) => {
      for (const [at, it] of CASES.entries()) {
        const name = `without ${it.without}, ${it.mode ? `mode ${it.mode}` : 'mode chosen'}: ${it.refused?.name ?? it.second ?? 'works'}`;
        const isWell = await world.step(name, () => oneCase(world, { ...it, database: `without-${at}.db` }));
        if (!isWell) await world.start();
      }
    }, { engine });
  });
}

async function oneCase(world, { refused, second, chosen, ...how }) {
  const tabs = [await bare(world, how), await bare(world, how)];
  if (refused) {
    for (const tab of tabs) {
      const error = await open(tab, how).then(() => assert.fail('it opened'), (error) => error);
      assert.equal(error.outcome, 'not-applied');
      refused(error);
    }
  } else {
    await open(tabs[0], how);
    await tabs[0].run(() => db.exec('CREATE TABLE t (v); INSERT INTO t VALUES (1)'));
    assert.equal(await tabs[0].run(() => db.status.mode), chosen);
    if (second) await keepsToItself(tabs, how, second);
    else await shareAndOutlive(world, tabs, how);
  }
  // The one of a killed process is still shown.
  await Promise.all(tabs.map((tab) => tab.close()));
}

/** A page, and below it a worker, that lack what is said. */
const bare = (world, { without }) => world.tab(undefined, { page: `esm.html?without=${without}` });

const open = (tab, { database, without, mode }) =>
  tab.run(openInPage, { database, options: { workerUrl: `/dist/hub.js?without=${without}`, ...(mode && { mode }) } });

/* Runs in the page. */
async function openInPage({ database, options }) {
  globalThis.db = await tabhub.open(database, options);
}

/** The tab that was first is not harmed by the other's failure. */
async function keepsToItself([first, other], how, code) {
  await assert.rejects(open(other, how), { name: 'HubError', code, outcome: 'not-applied' });
  await first.run(() => db.run('INSERT INTO t VALUES (2)'));
  assert.deepEqual(await first.run(() => db.all('SELECT v FROM t')), [{ v: 1 }, { v: 2 }]);
}

async function shareAndOutlive(world, [first, other], how) {
  await open(other, how);
  assert.deepEqual(await other.run(() => db.all('SELECT v FROM t')), [{ v: 1 }]);
  const { hub } = await other.run(() => db.status);
  await world.browser.killProcess(await world.processOfHub(first));
  await other.run(() => db.run('INSERT INTO t VALUES (2)'));
  assert.deepEqual(await other.run(() => db.all('SELECT v FROM t')), [{ v: 1 }, { v: 2 }]);
  assert.notEqual(await other.run(() => db.status.hub), hub, 'another hub goes on');
}
