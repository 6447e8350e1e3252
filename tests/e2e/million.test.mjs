// At stake: a result of a million rows passes through both sides in bounded memory, however slowly it is taken.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ENGINE, EVERY_ENGINE, WEBKIT } from './engines.mjs';
import { byTurns } from './rounds.mjs';
import { withWorld } from './world.mjs';

const DATABASE = 'million.db';
const ROWS = 1_000_000;
const PARTS = 10;
const CACHE_BYTES = 4 << 20;
/** What a scan may take beside the cache: its connection's own pages, the chunks under way, blocks read ahead, gaps of the allocator. */
const SCAN_BYTES = 8 << 20;
const CREDITS = 2;
/** A cursor that cannot be suspended begins anew for a block that nothing announced: at its beginning, and for the table's inner pages. */
const RESTARTS_MOST = 200;
const PAUSES = 10;
const MS = 60_000;

const RUNS = [
  ...EVERY_ENGINE.filter(({ engine }) => engine !== 'webkit').map((one) => ({ ...one, hubs: [{}, ...(one.engine === ENGINE ? [{ jspi: 'off' }] : [])] })),
  { ...WEBKIT, hubs: [{}] },
];

for (const { engine, skip, hubs } of byTurns(RUNS)) {
  test(`a million rows are iterated over in ${engine}`, { timeout: 240_000, skip }, async (t) => {
    await withWorld(t, async (world) => {
      await fill(await world.tab(DATABASE));
      for (const parameters of hubs) {
        // A new hub: what the writes needed is no longer in its memory.
        await world.restart();
        const workerUrl = `/dist/hub.js?${new URLSearchParams(parameters)}`;
        const tab = await world.tab(DATABASE, { options: { workerUrl, cacheBytes: CACHE_BYTES } });
        await world.step(`in bounded memory, ${JSON.stringify(parameters)}`, () => isBounded(t, tab));
      }
    }, { engine });
  });
}

/** Rows of one width, so that what has been taken tells how many chunks have. */
async function fill(tab) {
  await tab.run(async ({ rows, parts, timeout }) => {
    await db.exec('CREATE TABLE line (id INTEGER PRIMARY KEY, text TEXT NOT NULL)');
    const part = rows / parts;
    for (let low = 0; low < rows; low += part) {
      await db.run(`WITH RECURSIVE n (i) AS (SELECT :low UNION ALL SELECT i + 1 FROM n WHERE i < :low + :part - 1)
        INSERT INTO line SELECT i + 1, printf('%024d', i * 7919) FROM n`, { low, part }, { timeout });
    }
  }, { rows: ROWS, parts: PARTS, timeout: MS }, MS);
}

async function isBounded(t, tab) {
  const start = performance.now();
  const { before, after, pauses, chunks, bytes, count } = await tab.run(iterateInPage, { rows: ROWS, pauses: PAUSES }, MS);
  const seconds = (performance.now() - start) / 1_000;
  const grown = Math.max(...pauses.map(({ memory }) => memory), after.memory_bytes) - before.memory_bytes;
  const ahead = pauses.map(({ taken, arrived }) => arrived - Math.floor((taken / ROWS) * chunks));
  t.diagnostic(`${seconds.toFixed(1)} s, ${chunks} chunks of ${Math.round(bytes / chunks)} bytes, the hub's memory ${before.memory_bytes} + ${grown}`);
  t.diagnostic(`chunks ahead of the consumer: ${ahead.join(' ')}; ${after.restarts} restarts, ${after.waits} waits, ${after.misses} misses, ${after.cache_evictions} evictions`);
  assert.equal(count, ROWS);
  assert.ok(after.cache_evictions > 1_000, 'the table does not fit into the cache');
  assert.ok(grown <= CACHE_BYTES + SCAN_BYTES, `the hub's memory grew by ${grown} bytes`);
  // One more for the chunk that the consumer is in the middle of.
  assert.ok(ahead.every((chunks) => chunks <= CREDITS + 1), `chunks ahead of the consumer: ${ahead.join(' ')}`);
  assert.ok(after.restarts <= RESTARTS_MOST, `${after.restarts} restarts`);
  assert.ok(bytes / chunks < 128 << 10, `chunks of ${bytes / chunks} bytes`);
}

async function iterateInPage({ rows, pauses }) {
  const arrived = () => harness.frames.filter((frame) => frame.kind === 'chunk');
  const before = await db.metrics();
  const seen = [];
  let count = 0;
  for await (const { id, text } of db.iterate('SELECT id, text FROM line ORDER BY id')) {
    if (id !== ++count || text.length !== 24 || Number(text) !== (id - 1) * 7919) throw new Error(`row ${count} is ${id} ${text}`);
    if (count % (rows / pauses) !== rows / pauses / 2) continue;
    await harness.sleep(100);
    seen.push({ taken: count, arrived: arrived().length, memory: (await db.metrics()).memory_bytes });
  }
  const chunks = arrived();
  return { before, after: await db.metrics(), pauses: seen, chunks: chunks.length, bytes: chunks.reduce((sum, { bytes }) => sum + bytes, 0), count };
}
