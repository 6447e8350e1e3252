// At stake: the Rust client says something else than the JavaScript one that it is made of. The example app in tabs of real browsers: values,
// errors, transactions and streams keep their meaning, and a live query outlives the hub.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EVERY_ENGINE } from './engines.mjs';
import { byTurns } from './rounds.mjs';
import { withWorld } from './world.mjs';

const SEEN_MS = 30_000;
const IN_RUST = { page: 'rust.html' };

for (const { engine, skip } of byTurns(EVERY_ENGINE)) {
  test(`a front-end in Rust in ${engine}`, { timeout: 180_000, skip }, async (t) => {
    await withWorld(t, async (world) => {
      await world.step('every kind of call', () => everyCall(world));
      await world.step('what one tab adds is seen in the other, also when the hub dies', () => twoTabs(world));
      await world.step('a dropped stream is followed no longer', () => dropped(world));
    }, { engine });
  });
}

async function everyCall(world) {
  const tab = await world.tab(undefined, IN_RUST);
  await tab.run(ready);
  assert.equal(await tab.run(() => app.trial('trial.db'), null, SEEN_MS), '10000 rows');
  await tab.close();
}

async function twoTabs(world) {
  const host = await world.tab('rust-app.db');
  const pid = await world.processOfHub(host);
  const [a, b] = [await world.tab(undefined, IN_RUST), await world.tab(undefined, IN_RUST)];
  await Promise.all([a.run(ready), b.run(ready)]);
  await a.run(add, 'before');
  await b.run(shows, ['before'], SEEN_MS);
  await world.browser.killProcess(pid);
  await a.run(add, 'after');
  await b.run(shows, ['after', 'before'], SEEN_MS);
  await Promise.all([host, a, b].map((tab) => tab.close()));
}

async function dropped(world) {
  const tab = await world.tab('dropped.db', IN_RUST);
  await tab.run(ready);
  const seen = await tab.run(async () => {
    const following = app.follow('dropped.db', 2);
    while ((await db.metrics()).live_queries === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    await db.exec('CREATE TABLE t (x)');
    const states = [...await following];
    while ((await db.metrics()).live_queries > 0) await new Promise((resolve) => setTimeout(resolve, 10));
    return states;
  }, null, SEEN_MS);
  assert.deepEqual(seen, [0, 1]);
  await tab.close();
}

/* These run in the page. */
async function ready() {
  while (!globalThis.app || !globalThis.tabhub) await new Promise((resolve) => setTimeout(resolve, 10));
}

function add(text) {
  document.querySelector('#text').value = text;
  document.querySelector('#add').requestSubmit();
}

async function shows(wanted) {
  const shown = () => [...document.querySelectorAll('#items li')].map(({ textContent }) => textContent);
  while (shown().join() !== wanted.join()) await new Promise((resolve) => setTimeout(resolve, 20));
}
