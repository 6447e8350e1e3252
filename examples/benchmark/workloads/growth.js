/** Workload L, for tabhub alone: what one read and one write cost, in a database that has grown. */
import { expect, textOf } from './common.js';

const WARMUP_MS = 200;
const STRIDE = 7_919;

/** `count` tables beside those that are measured. */
export async function createTables(table, count) {
  await table.exec(Array.from({ length: count }, (_, at) => `CREATE TABLE extra_${at} (id INTEGER PRIMARY KEY, a TEXT, b REAL);`).join('\n'));
}

/** Milliseconds of a durable write and of a read by key, each on average over so many one after another. */
export async function oneByOne(table, { rows, bytes, ms }) {
  let next = rows;
  const write = () => table.insert({ id: ++next, body: textOf(next, bytes) });
  const read = async (n) => {
    const id = 1 + ((n * STRIDE) % rows);
    expect('the body of a row', (await table.get(id))?.body, textOf(id, bytes));
  };
  await meanFor(WARMUP_MS, write);
  const written = await meanFor(ms, write);
  await meanFor(WARMUP_MS, read);
  return { write: written, read: await meanFor(ms, read) };
}

/** Milliseconds from a durable write to what the one live query tells that it concerns, while so many are followed. */
export async function followed(table, { count, bytes, ms }) {
  const lives = Array.from({ length: count }, (_, at) => table.live('SELECT id, body FROM item WHERE id = ?', [at + 1]));
  let seen = () => {};
  await Promise.all(lives.map((live) => new Promise((resolve) => live.subscribe((rows) => { resolve(); seen(rows); }))));
  const write = async (n) => {
    const told = new Promise((resolve) => { seen = resolve; });
    await table.exec(`UPDATE item SET body = '${textOf(n, bytes)}' WHERE id = 1`);
    await told;
  };
  await meanFor(WARMUP_MS, write);
  return meanFor(ms, (n) => write(-1 - n));
}

async function meanFor(ms, work) {
  const begun = performance.now();
  let done = 0;
  while (performance.now() - begun < ms) await work(done++);
  return (performance.now() - begun) / done;
}
