// At stake: a result or a file larger than memory wants to be flows at the consumer's pace, and stops when he stops.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { sleep, until } from './deadline.mjs';
import { nativeIntegrity, nativeRows } from './native.mjs';
import { withWorld } from './world.mjs';

const ROWS = 100_000;
const CREDITS = 2;
const FILES = 5_000;
const FILE_BYTES = 4_000;

test('iterate, export and import', { timeout: 300_000 }, async (t) => {
  await withWorld(t, async (world) => {
    const [tab, other] = await world.tabs(2, 'streams.db');
    await tab.run((rows) => db.exec(`CREATE TABLE line (id INTEGER PRIMARY KEY, text TEXT NOT NULL, half REAL NOT NULL);
      WITH RECURSIVE n (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n WHERE id < ${rows})
      INSERT INTO line SELECT id, 'line number ' || id || ' — ünïcödé', id / 2.0 FROM n;`), ROWS);
    await world.step('100,000 rows arrive whole and in order', () => iterateAll(tab));
    await world.step('break stops the cursor in the hub', () => stopsEarly(tab));
    await world.step('a signal stops the cursor in the hub', () => isAborted(tab));
    await world.step('a slow consumer gets no more than its credits', () => isSlow(tab));
    await world.step('an open cursor keeps its snapshot and blocks nobody', () => staysOnSnapshot(tab, other));
    await world.step('20 MB out and in again', () => roundTrip(world, tab));
    await world.step('reads go on while imports replace the database', () => readsThroughImports(world));
    await world.step('an aborted export leaves nothing open', () => abortsExport(tab));
  });
});

async function iterateAll(tab) {
  const seen = await tab.run(async (rows) => {
    let count = 0;
    for await (const row of db.iterate('SELECT id, text, half FROM line WHERE id <= ? ORDER BY id', [rows])) {
      count++;
      const whole = row.id === count && row.text === `line number ${count} — ünïcödé` && row.half === count / 2;
      if (!whole) throw new Error(`row ${count} is ${JSON.stringify(row)}`);
    }
    return { count, chunks: harness.frames.filter((frame) => frame.kind === 'chunk').length };
  }, ROWS);
  assert.equal(seen.count, ROWS);
  assert.ok(seen.chunks > 10, `streamed in ${seen.chunks} chunks: one of them all would be no stream`);
  assert.equal(await tab.run(async () => {
    let count = 0;
    for await (const _ of db.iterate('SELECT id FROM line WHERE id < 0')) count++;
    return count;
  }), 0);
}

const cursorsClosed = (tab) =>
  until(2_000, 'no open cursor in the hub', () => tab.run(() => db.metrics().then((metrics) => metrics.cursors_open === 0)));

async function stopsEarly(tab) {
  const { open, seen } = await tab.run(async () => {
    let seen = 0;
    let open;
    for await (const row of db.iterate('SELECT * FROM line ORDER BY id')) {
      if (row.id !== ++seen) throw new Error(`row ${seen} is ${row.id}`);
      open ??= (await db.metrics()).cursors_open;
      if (seen === 10) break;
    }
    return { open, seen };
  });
  assert.deepEqual({ open, seen }, { open: 1, seen: 10 });
  await cursorsClosed(tab);
}

async function isAborted(tab) {
  const aborted = tab.run(async () => {
    const abort = new AbortController();
    for await (const row of db.iterate('SELECT * FROM line ORDER BY id', [], { signal: abort.signal })) if (row.id === 5) abort.abort();
  });
  await assert.rejects(aborted, { code: 'HUB_CANCELLED' });
  await cursorsClosed(tab);
}

async function isSlow(tab) {
  const { early, rows, total } = await tab.run(async () => {
    const chunks = () => harness.frames.filter((frame) => frame.kind === 'chunk').length;
    const before = chunks();
    let early;
    let rows = 0;
    for await (const _ of db.iterate('SELECT * FROM line ORDER BY id')) {
      if (++rows !== 1) continue;
      await harness.sleep(1_000);
      early = chunks() - before;
    }
    return { early, rows, total: chunks() - before };
  });
  assert.equal(rows, ROWS);
  // A chunk gives its credit back when its last row has been taken, so none has come back yet.
  assert.ok(early >= 1 && early <= CREDITS, `${early} chunks arrived while the consumer slept over the first row`);
  assert.ok(total > 5 * CREDITS, `only ${total} chunks in all: the limit shows nothing`);
}

async function staysOnSnapshot(tab, other) {
  await tab.run(async () => {
    globalThis.cursor = db.iterate('SELECT id FROM line ORDER BY id DESC')[Symbol.asyncIterator]();
    globalThis.first = (await cursor.next()).value.id;
  });
  await other.run((rows) => db.batch([[`DELETE FROM line WHERE id <= ?`, [rows / 2]], ["INSERT INTO line VALUES (-1, 'late', 0)"]]), ROWS);
  const { first, last, count } = await tab.run(async () => {
    let last;
    let count = 1;
    for (let step = await cursor.next(); !step.done; step = await cursor.next(), count++) last = step.value.id;
    return { first, last, count };
  });
  assert.deepEqual({ first, last, count }, { first: ROWS, last: 1, count: ROWS });
  assert.deepEqual(await tab.run(() => db.get('SELECT count(*) AS n, min(id) AS low FROM line')), { n: ROWS / 2 + 1, low: -1 });
}

async function roundTrip(world, tab) {
  await tab.run(({ files, bytes }) => db.exec(`CREATE TABLE file (id INTEGER PRIMARY KEY, body BLOB NOT NULL);
    WITH RECURSIVE n (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n WHERE id < ${files})
    INSERT INTO file SELECT id, randomblob(${bytes}) FROM n;`), { files: FILES, bytes: FILE_BYTES });
  const sent = await tab.run(exportTwice, null, 120_000);
  assert.ok(sent.size > FILES * FILE_BYTES);
  assert.equal(sent.streamed, sent.hash, 'exportStream() gives the bytes of export()');
  checkProgress(sent.progress, sent.size);
  const file = join(world.folder, 'exported.db');
  writeFileSync(file, world.site.uploads.get('exported'));
  assert.equal(nativeIntegrity(file), 'ok');
  assert.deepEqual(nativeRows(file, 'SELECT count(*) AS n, sum(length(body)) AS bytes FROM file'), [{ n: FILES, bytes: FILES * FILE_BYTES }]);
  const copy = await world.tab('copy.db');
  const received = await copy.run(importFrom, `${world.site.url}/uploaded/exported`, 120_000);
  checkProgress(received.progress, sent.size);
  assert.deepEqual(await digestOf(copy), await digestOf(tab));
  assert.deepEqual(await copy.run(() => db.all('PRAGMA integrity_check')), [{ integrity_check: 'ok' }]);
}

async function exportTwice() {
  const progress = [];
  const bytes = await db.export({ onProgress: (...step) => progress.push(step) });
  await harness.upload('exported', bytes);
  const streamed = new Uint8Array(await new Response(db.exportStream()).arrayBuffer());
  return { size: bytes.length, hash: await harness.sha256(bytes), streamed: await harness.sha256(streamed), progress };
}

async function importFrom(url) {
  const progress = [];
  await db.import(await (await fetch(url)).blob(), { onProgress: (...step) => progress.push(step) });
  return { progress };
}

/** Grows, in more than a few steps, and ends at the whole. */
function checkProgress(progress, size) {
  const done = progress.map(([bytes]) => bytes);
  assert.ok(progress.every(([, total]) => total === size), 'the total is told from the first step on');
  assert.ok(done.length > 5, `${done.length} progress calls for ${size} bytes`);
  assert.ok(done.every((bytes, at) => at === 0 || bytes >= done[at - 1]), 'progress never goes back');
  assert.equal(done.at(-1), size);
}

const digestOf = (tab) =>
  tab.run(async () => {
    const parts = [];
    for await (const row of db.iterate('SELECT id, body FROM file ORDER BY id')) parts.push(row.body);
    return { parts: parts.length, hash: await harness.sha256(await new Blob(parts).arrayBuffer()) };
  });

/** Each read sees one whole database: the first or the second, never a mixture and never a hang. */
async function readsThroughImports(world) {
  const [importer, reader] = await world.tabs(2, 'replaced.db');
  const files = await importer.run(makeTwoFiles);
  const reads = reader.run(readUntilTold, null, 60_000);
  const imports = 8;
  for (let n = 0; n < imports; n++) await importer.run((at) => db.import(files[at]), n % 2);
  await sleep(200);
  await reader.run(() => void (globalThis.enough = true));
  const { slowest, seen } = await reads;
  assert.deepEqual(Object.keys(seen).sort(), files.map(({ sum }) => `${sum}`).sort(), 'only whole databases are seen');
  assert.ok(slowest < 5_000, `a read took ${Math.round(slowest)} ms`);
}

/** Two databases of one schema with different rows, as files. */
async function makeTwoFiles() {
  const fill = (low) => `DELETE FROM number; WITH RECURSIVE n (i) AS (SELECT ${low} UNION ALL SELECT i + 1 FROM n WHERE i < ${low} + 20000)
    INSERT INTO number SELECT i, hex(randomblob(40)) FROM n;`;
  await db.exec('CREATE TABLE number (i INTEGER PRIMARY KEY, text TEXT)');
  globalThis.files = [];
  const sums = [];
  for (const low of [0, 1_000_000]) {
    await db.exec(fill(low));
    files.push(await db.export());
    sums.push(await db.get('SELECT sum(i + length(text)) AS sum FROM number'));
  }
  return sums;
}

async function readUntilTold() {
  globalThis.enough = false;
  const seen = {};
  let slowest = 0;
  while (!enough) {
    const start = performance.now();
    const { sum } = await db.get('SELECT sum(i + length(text)) AS sum FROM number');
    seen[sum] = (seen[sum] ?? 0) + 1;
    slowest = Math.max(slowest, performance.now() - start);
  }
  return { slowest, seen };
}

async function abortsExport(tab) {
  const aborted = tab.run(() => {
    const abort = new AbortController();
    return db.export({ signal: abort.signal, onProgress: () => abort.abort() }).then((bytes) => bytes.length);
  });
  await assert.rejects(aborted, { code: 'HUB_CANCELLED' });
  await cursorsClosed(tab);
}
