/** Workloads B, B' and C: durable transactions of one row each, one after another, many at once, and from several tabs. */
import { expect, itemsOf, median, sleepUntil, textOf, timed } from './common.js';

export const ONE_BY_ONE = { ms: 800, warmup: 60, bytes: 100 };
/** More and more at once, so that an engine is warm for the last; a peer that takes long for fewer is measured by them. */
export const AT_ONCE = { counts: [10, 50, 500], repeats: 3, enough_ms: 800, slow_ms: 500, bytes: 100 };

const SECOND = 1_000;

/** B: transactions a second, each awaited before the next. */
export async function oneByOne(table, { ms, warmup, bytes } = ONE_BY_ONE) {
  await table.create();
  const first = await insertFor(table, { first: 1, bytes, ms, most: warmup });
  const { rows, took_ms } = await insertFor(table, { first: first.rows + 1, bytes, ms });
  await assertCount(table, first.rows + rows);
  return (rows * SECOND) / took_ms;
}

/** B': transactions a second, 500 of them under way at once. */
export async function atOnce(table, { counts, repeats, enough_ms, slow_ms, bytes } = AT_ONCE) {
  await table.create();
  let next = 1;
  const insertAtOnce = async (count) => {
    const items = itemsOf(count, bytes, next);
    next += count;
    const { ms } = await timed(() => Promise.all(items.map((item) => table.insert(item))));
    return ms;
  };
  let count;
  let times;
  for (count of counts) {
    times = [await insertAtOnce(count)];
    if (times[0] > slow_ms) break;
  }
  const spent_ms = () => times.reduce((sum, ms) => sum + ms, 0);
  while (times.length < repeats && spent_ms() < enough_ms) times.push(await insertAtOnce(count));
  await assertCount(table, next - 1);
  return (count * SECOND) / median(times);
}

/** C, one tab's part: it begins at a moment of the wall's clock, as the others do. Ids from `first` on are its own. */
export async function insertFrom(table, { first, ms, bytes, at }) {
  if (at) await sleepUntil(at);
  return insertFor(table, { first, ms, bytes });
}

/** Until `ms` are over, or there are `most`. */
async function insertFor(table, { first, bytes, ms = Infinity, most = Infinity }) {
  const begun = performance.now();
  let rows = 0;
  while (rows < most && performance.now() - begun < ms) {
    await table.insert({ id: first + rows, body: textOf(first + rows, bytes) });
    rows++;
  }
  return { rows, took_ms: performance.now() - begun };
}

export const create = (table) => table.create();

export async function assertCount(table, wanted) {
  expect('rows that are there, of those acknowledged', await table.count(), wanted);
}
