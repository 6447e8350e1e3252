// At stake: tabhub works in WebKit too. Two tabs share a database and search it, what was acknowledged survives SIGKILL of the
// browser, and none of its processes does. A page kept aside is in nobody's way. The tests of every engine run here as well when TABHUB_BROWSER=webkit asks for it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WEBKIT } from './engines.mjs';
import { processesNaming } from './processes.mjs';
import { withWorld } from './world.mjs';

const DATABASE = 'shelf.db';
const ACKS_BEFORE_KILL = 60;
const ACKS_MS = 30_000;
const NUMBERS = [1, 2];
/** Less than a busy hub without JSPI may be silent, 25 s. */
const NEXT_MS = 15_000;

const { engine, skip } = WEBKIT;

test(`two tabs of ${engine} share a database and the browser is killed`, { timeout: 120_000, skip }, async (t) => {
  await withWorld(t, async (world) => {
    const tabs = await world.tabs(2, DATABASE);
    assert.ok(processesNaming(world.folder).length > 0, 'the processes can be seen');
    await world.step('each tab sees what the other writes', () => seeEachOther(tabs));
    await world.step('the full-text index answers in both', () => search(tabs));
    await killWhileWriting(world, tabs);
    await world.step('no process of the killed browser is left', () => assert.deepEqual(processesNaming(world.folder), []));
    await world.start();
    const [first, second] = await world.tabs(2, DATABASE);
    await world.step('after SIGKILL everything acknowledged is there', () => checkSurvivors(t, world.site.lines.all, first));
    await world.step('the database is sound, and both tabs go on', () => goOn(first, second));
    await world.browser.close();
    await world.step('no process of the closed browser is left', () => assert.deepEqual(processesNaming(world.folder), []));
  }, { engine });
});

test(`in ${engine} a page that is kept aside for a way back, and its hub with it, does not hold up the next one`, { timeout: 90_000, skip }, async (t) => {
  await withWorld(t, async (world) => {
    const tab = await world.tab(DATABASE, { options: { workerUrl: '/release-1/hub.js', wasmUrl: '/dist/hub.wasm' } });
    await tab.run(() => db.exec("CREATE TABLE note (text TEXT); INSERT INTO note VALUES ('of the first page')"));
    await tab.leave(world.site.page('esm.html?next'));
    // The worker of the page that was left is frozen: it answers nobody, and what a busy one may take is longer.
    await tab.run(openNext, DATABASE, NEXT_MS);
    await tab.back();
    assert.deepEqual(await tab.run(() => db.all('SELECT text FROM note')), [{ text: 'of the first page' }, { text: 'of the next one' }]);
  }, { engine });
});

/* Runs in the page. As after a deployment: the worker has another URL. */
async function openNext(database) {
  const db = await tabhub.open(database, { workerUrl: '/release-2/hub.js', wasmUrl: '/dist/hub.wasm' });
  await db.run("INSERT INTO note VALUES ('of the next one')");
}

/** `entry` and its full-text index are written in one batch: neither may be there without the other. */
async function seeEachOther([first, second]) {
  await first.run(() => db.exec('CREATE TABLE entry (tab INTEGER NOT NULL, n INTEGER NOT NULL); CREATE VIRTUAL TABLE page USING fts5 (text)'));
  await first.run(() => db.run("INSERT INTO page VALUES ('a harbour in the north')"));
  assert.deepEqual(await second.run(() => db.all('SELECT text FROM page')), [{ text: 'a harbour in the north' }]);
  await second.run(() => db.run("INSERT INTO page VALUES ('the harbours of the south'), ('no ship at all')"));
  assert.deepEqual(await first.run(() => db.get('SELECT count(*) AS pages FROM page')), { pages: 3 });
}

async function search(tabs) {
  for (const tab of tabs) {
    const found = await tab.run(() => db.all("SELECT rowid, highlight(page, 0, '[', ']') AS text FROM page WHERE page MATCH 'harbour*' ORDER BY rowid"));
    assert.deepEqual(found, [
      { rowid: 1, text: 'a [harbour] in the north' },
      { rowid: 2, text: 'the [harbours] of the south' },
    ]);
  }
}

async function killWhileWriting(world, tabs) {
  await Promise.all(tabs.map((tab, at) => tab.run(startWriting, NUMBERS[at])));
  const { lines } = world.site;
  const enough = (all) => NUMBERS.every((number) => acksOf(all, number) >= ACKS_BEFORE_KILL);
  await lines.wait(ACKS_MS, `${ACKS_BEFORE_KILL} acks from each tab`, enough);
  await world.browser.kill9();
}

/* Runs in the page. A write follows the arrival of the last one's acknowledgement outside the browser. */
function startWriting(tab) {
  const write = async () => {
    for (let n = 1; ; n++) {
      await db.batch([['INSERT INTO entry VALUES (?, ?)', [tab, n]], ['INSERT INTO page VALUES (?)', [`written by tab${tab}`]]]);
      await harness.post(`ack ${tab} ${n}`);
    }
  };
  void write();
}

const acksOf = (lines, tab) => lines.filter((line) => line.startsWith(`ack ${tab} `)).length;

async function checkSurvivors(t, lines, reader) {
  for (const tab of NUMBERS) {
    const acked = acksOf(lines, tab);
    const stored = await reader.run((tab) => db.all('SELECT n FROM entry WHERE tab = ? ORDER BY n', [tab]), tab);
    t.diagnostic(`tab ${tab}: ${acked} acks, ${stored.length} writes stored`);
    assert.deepEqual(stored.map(({ n }) => n), Array.from(stored, (_, at) => at + 1), 'each write is there once, without a gap');
    assert.ok(stored.length === acked || stored.length === acked + 1, `${acked} acks, ${stored.length} writes: only the last may be in doubt`);
    const indexed = await reader.run((word) => db.get('SELECT count(*) AS pages FROM page WHERE page MATCH ?', [word]), `tab${tab}`);
    assert.deepEqual(indexed, { pages: stored.length }, 'the index has what the table has');
  }
}

async function goOn(first, second) {
  assert.deepEqual(await first.run(() => db.check({ level: 'full' })), { ok: true, problems: [] });
  await second.run(() => db.run('INSERT INTO entry VALUES (3, 1)'));
  assert.deepEqual(await first.run(() => db.all('SELECT n FROM entry WHERE tab = 3')), [{ n: 1 }]);
}
