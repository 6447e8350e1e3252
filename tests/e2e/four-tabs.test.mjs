// At stake: the whole promise. Four tabs share one database, see what SQLite itself would show, write at once without
// "busy", and lose nothing that was acknowledged when the browser dies.
import assert from 'node:assert/strict';
import { chmodSync, copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { CHINOOK_FILE, CHINOOK_TABLES, DERIVED, NO_CHINOOK, QUERIES, difference, typesOf } from './chinook.mjs';
import { contentOf } from './content.mjs';
import { EVERY_ENGINE } from './engines.mjs';
import { nativeIntegrity, nativeRows, nativeScript } from './native.mjs';
import { byTurns } from './rounds.mjs';
import { withWorld } from './world.mjs';

const DATABASE = 'chinook.db';
const TABS = 4;
const INSERTS = 500;
const INCREMENTS = 50;
const STORM_MS = 120_000;

for (const { engine, skip } of byTurns(EVERY_ENGINE)) {
  test(`four tabs of ${engine} share one database and the browser is killed`, { timeout: 300_000, skip: skip || NO_CHINOOK }, async (t) => {
    await withWorld(t, async (world) => {
      const tabs = await world.tabs(TABS, DATABASE);
      await world.step('one tab imports Chinook, every tab sees it', () => importChinook(tabs));
      await world.step('25 queries answer as the native library does', () => compareQueries(tabs, derivedCopy(world.folder)));
      await world.step('2,000 inserts and 200 increments at once', () => storm(t, world, tabs));
      await world.start();
      const [first, second] = await world.tabs(2, DATABASE);
      await world.step('after SIGKILL everything acknowledged is there', () => checkSurvivors(first, second, world.site.lines.all));
      await world.step('the export is the same database for the native library', () => checkExport(world, first));
    }, { engine });
  });
}

async function importChinook([first, ...others]) {
  await first.run(async () => {
    const file = await (await fetch('/chinook/Chinook_Sqlite.sqlite')).blob();
    await db.import(file);
  });
  for (const tab of others) {
    assert.deepEqual(await tab.run(() => db.get('SELECT count(*) AS tracks FROM Track')), { tracks: 3503 });
  }
  await first.run((script) => db.exec(script), DERIVED);
}

/** The same file with the same derived tables, made by the native library. */
function derivedCopy(folder) {
  const file = join(folder, 'native.db');
  copyFileSync(CHINOOK_FILE, file);
  chmodSync(file, 0o644);
  nativeScript(file, DERIVED);
  return file;
}

async function compareQueries(tabs, file) {
  assert.equal(QUERIES.length, 25);
  const wrong = [];
  for (const [at, query] of QUERIES.entries()) {
    const tab = tabs[at % tabs.length];
    const expected = nativeRows(file, query.sql);
    assert.ok(expected.length > 0, `${query.name}: a query without rows shows nothing`);
    const types = typesOf(query, Object.keys(expected[0]));
    const found =
      difference(await ask(tab, query.sql), expected) ?? difference(await ask(tab, types), nativeRows(file, types));
    if (found) wrong.push(`${query.name}: ${found}`);
  }
  assert.deepEqual(wrong, []);
}

const ask = (tab, sql) => tab.run((text) => db.all(text), sql);

async function storm(t, world, tabs) {
  const { lines } = world.site;
  await tabs[0].run(() =>
    db.exec(`CREATE TABLE note (tab INTEGER NOT NULL, n INTEGER NOT NULL, text TEXT NOT NULL, UNIQUE (tab, n));
      CREATE TABLE counter (id INTEGER PRIMARY KEY, value INTEGER NOT NULL);
      INSERT INTO counter VALUES (1, 0);`),
  );
  const before = await tabs[0].run(() => db.metrics());
  const start = await tabs[0].run(() => harness.now() + 500);
  const storms = tabs.map((tab, number) => tab.run(writeStorm, { number, start, inserts: INSERTS, increments: INCREMENTS }, STORM_MS));
  const ended = lines.wait(STORM_MS, 'all four tabs to finish', (all) => all.filter((line) => line.startsWith('end ')).length === TABS);
  // A tab that fails ends the test at once; the kill below makes the answers of the others worthless.
  await Promise.race([ended, Promise.all(storms).then(() => ended)]);
  await world.browser.kill9();
  report(t, lines.all, before, start);
}

/** Runs in a page: everything at once. Each acknowledgement leaves the browser when it arrives. */
async function writeStorm({ number, start, inserts, increments }) {
  let lastAck;
  const acked = (line) => {
    lastAck = harness.now();
    return harness.post(line);
  };
  const failed = (error) => harness.post(`error ${number} ${error.code} ${error.message}`);
  const insert = (n) =>
    db.run('INSERT INTO note VALUES (?, ?, ?)', [number, n, `note ${n} of tab ${number}`]).then(() => acked(`insert ${number} ${n}`), failed);
  const increment = () =>
    db
      .transaction(async (tx) => {
        const { value } = await tx.get('SELECT value FROM counter WHERE id = 1');
        await tx.run('UPDATE counter SET value = ? WHERE id = 1', [value + 1]);
        return value + 1;
      })
      .then((value) => acked(`counter ${number} ${value}`), failed);
  await harness.sleep(start - harness.now());
  const work = [];
  for (let n = 0; n < inserts; n++) work.push(insert(n));
  for (let n = 0; n < increments; n++) work.push(increment());
  await Promise.all(work);
  await harness.post(`end ${number} ${lastAck} ${JSON.stringify(await db.metrics())}`);
}

function report(t, lines, before, start) {
  const ends = lines.filter((line) => line.startsWith('end ')).map((line) => line.split(' '));
  const seconds = (Math.max(...ends.map(([, , at]) => Number(at))) - start) / 1000;
  const metrics = ends.map(([, , , ...json]) => JSON.parse(json.join(' '))).sort((a, b) => b.commits - a.commits)[0];
  const writes = TABS * (INSERTS + INCREMENTS);
  t.diagnostic(`${writes} durable writes in ${seconds.toFixed(2)} s: ${Math.round(writes / seconds)} a second`);
  const [commits, groups] = [metrics.commits - before.commits, metrics.groups - before.groups];
  t.diagnostic(`${commits} commits in ${groups} IndexedDB groups, at most ${metrics.group_commits_max} in one; ${metrics.restarts} restarts`);
}

async function checkSurvivors(first, second, lines) {
  assert.deepEqual(lines.filter((line) => line.startsWith('error ')), []);
  const acked = lines.filter((line) => line.startsWith('insert ')).map((line) => line.slice('insert '.length));
  const counted = lines.filter((line) => line.startsWith('counter ')).map((line) => Number(line.split(' ')[2]));
  assert.equal(new Set(acked).size, TABS * INSERTS, 'every insert was acknowledged once');
  assert.deepEqual(counted.sort((a, b) => a - b), Array.from({ length: TABS * INCREMENTS }, (_, n) => n + 1), 'no increment saw another one half done');
  const stored = await ask(first, 'SELECT tab, n, text FROM note ORDER BY tab, n');
  assert.deepEqual(stored.map(({ tab, n }) => `${tab} ${n}`).sort(), acked.sort());
  assert.ok(stored.every(({ tab, n, text }) => text === `note ${n} of tab ${tab}`));
  assert.deepEqual(await ask(second, 'SELECT value FROM counter'), [{ value: TABS * INCREMENTS }]);
  assert.deepEqual(await ask(second, 'PRAGMA integrity_check'), [{ integrity_check: 'ok' }]);
  await second.run(() => db.run("INSERT INTO note VALUES (99, 0, 'written after the kill')"));
  assert.deepEqual(await ask(first, 'SELECT count(*) AS notes FROM note'), [{ notes: TABS * INSERTS + 1 }]);
}

async function checkExport(world, tab) {
  await tab.run(async () => harness.upload('export', await db.export()));
  const file = join(world.folder, 'export.db');
  writeFileSync(file, world.site.uploads.get('export'));
  assert.equal(nativeIntegrity(file), 'ok');
  const exported = (sql) => nativeRows(file, sql);
  assert.deepEqual(await contentOf(exported), await contentOf((sql) => ask(tab, sql)));
  const original = (sql) => nativeRows(CHINOOK_FILE, sql);
  assert.deepEqual(await contentOf(exported, CHINOOK_TABLES), await contentOf(original, CHINOOK_TABLES));
  nativeScript(file, "INSERT INTO track_text (track_text) VALUES ('integrity-check');");
}
