/** Workload K: rows written one by one, each acknowledged; afterwards, in another browser, those that are missing. */
import { expect, itemsOf } from './common.js';

/** Until there are `rows`, or `ms` are over; answers how many were acknowledged. */
export async function write(table, { rows, bytes, ms }) {
  await table.create();
  const begun = performance.now();
  let acknowledged = 0;
  for (const item of itemsOf(rows, bytes)) {
    if (performance.now() - begun > ms) break;
    await table.insert(item);
    acknowledged++;
  }
  return acknowledged;
}

/** How many of the rows are not there. A row that is there but damaged is an error, and so is one that nobody wrote. */
export async function lost(table, { rows, bytes }) {
  const there = await table.readAll();
  const wanted = new Map(itemsOf(rows, bytes).map((item) => [item.id, item]));
  for (const row of there) expect(`row ${row.id} after the kill`, row.body, wanted.get(row.id)?.body);
  return rows - there.length;
}
