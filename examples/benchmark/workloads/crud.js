/** Workload A, the ancestor's table: insert 1000 rows, read them, update half, delete a quarter; each is durable before its clock stops. */
import { expect, expectRows, itemsOf, median, textOf, timed } from './common.js';

/** A few milliseconds each, so the median of several tells more than one; the first ones compile the engine. A peer that takes seconds has enough of fewer. */
export const CRUD = { rows: 1_000, bytes: 100, warmups: 2, repeats: 7, enough_ms: 3_000 };

/** Milliseconds of each step, the median of the repeats, each on empty tables. */
export async function crud(table, { rows, bytes, warmups, repeats, enough_ms } = CRUD, onProgress = () => {}) {
  const times = { insert: [], read: [], update: [], delete: [] };
  const begun = performance.now();
  for (let n = -warmups; n < repeats; n++) {
    if (performance.now() - begun > enough_ms) {
      if (times.insert.length > 0) break;
      // No more warming up, but one that counts.
      n = Math.max(n, 0);
    }
    const steps = await once(table, itemsOf(rows, bytes), textOf(-n, bytes));
    if (n >= 0) for (const step in times) times[step].push(steps[step]);
    onProgress((n + warmups + 1) / (warmups + repeats));
  }
  return Object.fromEntries(Object.entries(times).map(([step, each]) => [step, median(each)]));
}

async function once(table, items, body) {
  await table.create();
  const insert = await timed(() => table.insertMany(items));
  const read = await timed(() => table.readAll());
  expectRows('rows after insertMany', read.value, items);
  const update = await timed(() => table.updateHalf(body));
  const updated = items.map((item) => (item.id % 2 === 0 ? { ...item, body } : item));
  expectRows('rows after updateHalf', await table.readAll(), updated);
  const deletion = await timed(() => table.deleteQuarter());
  expect('count after deleteQuarter', await table.count(), items.filter(({ id }) => id % 4 !== 0).length);
  return { insert: insert.ms, read: read.ms, update: update.ms, delete: deletion.ms };
}
