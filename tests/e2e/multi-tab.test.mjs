// At stake: the demo that lets a newcomer try to lose a write. Its buttons must do what they say, and its count must be right, also when something is lost.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from './deadline.mjs';
import { EVERY_ENGINE } from './engines.mjs';
import { byTurns } from './rounds.mjs';
import { withWorld } from './world.mjs';

const MS = 20_000;
/** So many more acknowledged writes of a tab say that it writes. */
const WRITES = 20;
const GOOD = { lost: '0', doubled: '0', errors: '0' };
const BAD = { lost: '1', doubled: '1', errors: '0' };

for (const { engine, skip } of byTurns(EVERY_ENGINE)) {
  test(`the task list follows all tabs and counts what a killed hub has lost in ${engine}`, { timeout: 120_000, skip }, async (t) => {
    await withWorld(t, async (world) => {
      const open = () => world.tab(null, { page: '/examples/multi-tab/' });
      const tabs = [await open(), await open()];
      await world.step('what one tab writes is shown in the other, and a half-typed title stays', () => follows(...tabs));
      await world.step('the hub in the SharedWorker is killed, and both tabs go on', async () => {
        for (const tab of tabs) await tab.ask(click, '#write');
        await killed(tabs, /^shared: The hub runs in a SharedWorker/);
      });
      await world.step('all tabs change to the fallback, write on, and one of them hosts the hub: it is killed too', async () => {
        await tabs[0].ask(click, '#mode');
        await killed(tabs, /^leader: .* hosts the hub/);
      });
      await world.step('a row that is lost and one that is doubled are counted, and then anew', () => counts(tabs));
    }, { engine });
  });
}

async function follows(a, b) {
  await until(MS, 'both marks', () => b.ask(() => document.querySelectorAll('#tabs li').length === 2));
  await a.ask(add, 'Feed the cat');
  await until(MS, 'the task in the other tab', () => b.ask(() => document.querySelector('#tasks input[type=text]')?.value === 'Feed the cat'));
  await b.ask(() => {
    const title = document.querySelector('#tasks input[type=text]');
    title.focus();
    title.value = 'Feed the d';
  });
  await until(MS, 'the task in its own tab', () => a.ask(() => document.querySelector('#tasks input[type=text]')?.value === 'Feed the cat'));
  await a.ask(click, '#tasks input[type=checkbox]');
  await until(MS, 'the tick in the other tab', () => b.ask(() => document.querySelector('#tasks li').classList.contains('done')));
  assert.equal(await b.ask(() => document.activeElement.value), 'Feed the d');
}

/** Both tabs write before and after the kill, by another hub. */
async function killed(tabs, where) {
  const before = await goOn(tabs, where, { hub: '', acked: {}, acknowledged: 0 });
  await tabs[0].ask(click, '#kill');
  const after = await goOn(tabs, where, before);
  assert.match(after.events, /Going on with hub \w+ after/);
}

/** What both tabs show once both have written more than before, with another hub, and the count has seen it. */
async function goOn(tabs, where, before) {
  const [seen, other] = await Promise.all(tabs.map((tab) => until(MS, `a tab to go on, ${where}`, async () => {
    // While it is loaded anew there is nobody to ask.
    const now = await tab.ask(look).catch(() => undefined);
    if (!now?.hub || !where.test(now.where) || now.hub === before.hub || now.acknowledged < before.acknowledged + WRITES) return false;
    assert.deepEqual(now.figures, GOOD);
    // Each page has a series of its own.
    const grown = Object.keys(now.acked).filter((series) => now.acked[series] >= (before.acked[series] ?? 0) + WRITES);
    return grown.length >= tabs.length && now;
  })));
  assert.equal(seen.hub, other.hub);
  return seen;
}

async function counts(tabs) {
  for (const tab of tabs) await tab.ask(click, '#write');
  const isStill = () => !document.querySelector('#write[aria-pressed=true]');
  for (const tab of tabs) await until(MS, 'the writer to stop', () => tab.ask(isStill));
  await tabs[0].ask(spoil);
  const shows = (figures) => async (tab) => until(MS, JSON.stringify(figures), async () => JSON.stringify((await tab.ask(look)).figures) === JSON.stringify(figures));
  await Promise.all(tabs.map(shows(BAD)));
  await tabs[1].ask(click, '#anew');
  await Promise.all(tabs.map(shows(GOOD)));
}

/* These run in the page. */
function click(selector) {
  document.querySelector(selector).click();
}

function add(title) {
  document.querySelector('#title').value = title;
  document.querySelector('#add').requestSubmit();
}

function look() {
  const text = (selector) => document.querySelector(selector).textContent;
  const acked = Object.entries(localStorage).filter(([key]) => key.startsWith('tasks.db:acknowledged:'));
  const [, hub, mode] = /hub(\w+) \((\w+)\)/.exec(text('#status')) ?? [];
  return {
    where: `${mode}: ${text('#hub')}`,
    hub,
    events: text('#events'),
    acked: Object.fromEntries(acked.map(([key, number]) => [key, Number(number)])),
    acknowledged: Number(text('#acknowledged').replaceAll(',', '')),
    figures: { lost: text('#lost'), doubled: text('#doubled'), errors: text('#errors') },
  };
}

/** One acknowledged row is taken away by hand, and one is written twice. */
async function spoil() {
  const { open } = await import('/dist/tabhub.js');
  const db = await open('tasks.db');
  await db.batch(['DELETE FROM written WHERE rowid = 7', 'INSERT INTO written SELECT series, number FROM written WHERE rowid = 9']);
  await db.close();
}
