/** Workloads D and F: many rows in one durable transaction, then an aggregate over all of them, and some of them as objects. */
import { expect, expectRows, median, textOf, timed } from './common.js';

export const BULK = { rows: 100_000, warmup: 2_000, groups: 100, objects: 10_000, repeats: 5, enough_ms: 3_000 };

/** Milliseconds of each; the latter two are the median of the repeats. */
export async function bulk(table, { rows, warmup, groups, objects, repeats, enough_ms } = BULK, onProgress = () => {}) {
  const wide = wideRows(rows, groups);
  await table.create();
  await table.insertWide(wide.slice(0, warmup));
  await table.create();
  const insert = await timed(() => table.insertWide(wide));
  onProgress(0.5);
  const times = { aggregate: [], objects: [] };
  const wanted = grouped(wide, groups);
  const first = wide.slice(0, objects);
  const begun = performance.now();
  for (let n = 0; n < repeats && (n === 0 || performance.now() - begun < enough_ms); n++) {
    const aggregate = await timed(() => table.aggregate());
    expectRows('aggregate', aggregate.value, wanted);
    const read = await timed(() => table.wideRows(objects));
    expectRows('wideRows', read.value, first);
    times.aggregate.push(aggregate.ms);
    times.objects.push(read.ms);
    onProgress(0.5 + (n + 1) / (2 * repeats));
  }
  return { insert: insert.ms, aggregate: median(times.aggregate), objects: median(times.objects) };
}

/** Amounts are multiples of 1/4, so that their sum is exact in whatever order it is made. */
function wideRows(count, groups) {
  return Array.from({ length: count }, (_, at) => ({ id: at + 1, grp: at % groups, amount: (at % 4_000) / 4, name: `name ${at}`, note: textOf(at, 30) }));
}

function grouped(rows, groups) {
  const sums = Array.from({ length: groups }, (_, grp) => ({ grp, n: 0, total: 0 }));
  for (const { grp, amount } of rows) {
    sums[grp].n++;
    sums[grp].total += amount;
  }
  expect('groups made', sums.every(({ n }) => n > 0), true);
  return sums;
}
