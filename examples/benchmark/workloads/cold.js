/** Workload G: a large database, made in parts, and what is looked at in it after a cold open. */
import { expect, itemsOf } from './common.js';

const MB = 1_000_000;

export async function fill(table, { mb, bytes, part }, onProgress = () => {}) {
  const rows = (mb * MB) / bytes;
  await table.create();
  for (let first = 1; first <= rows; first += part) {
    await table.insertMany(itemsOf(Math.min(part, rows - first + 1), bytes, first));
    onProgress((first + part) / rows);
  }
}

/** For an engine with SQL this reads every page. */
export async function assertAll(table, rows) {
  expect('count of all rows', await table.count(), rows);
}

export const close = (table) => table.close();
export const metrics = (table) => table.metrics();
