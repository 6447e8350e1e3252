/** Workload I: a query that only computes in one tab, and how long each point read in another takes meanwhile. */
import { expect, itemsOf, timed } from './common.js';

/** Enough for a clock; the second guess is made from a query that the engine has compiled. */
const GUESS_STEPS = 200_000;
const GUESS_MS = 400;

/** How many steps take so long. */
export async function calibrate(table, ms) {
  const first = await timed(() => compute(table, GUESS_STEPS));
  const steps = Math.ceil((GUESS_STEPS * GUESS_MS) / first.ms);
  const second = await timed(() => compute(table, steps));
  return Math.ceil((steps * ms) / second.ms);
}

export async function compute(table, steps) {
  expect('what the long query counts', await table.slow(steps), steps);
}

/** The time of each read in ms. The last one may have begun just before the end and wait for long: it counts. */
export async function readTimes(table, { rows, bytes, ms }) {
  const items = itemsOf(rows, bytes);
  const times = [];
  for (const end = performance.now() + ms; performance.now() < end; ) {
    const wanted = items[times.length % rows];
    const read = await timed(() => table.get(wanted.id));
    if (read.value?.body !== wanted.body) expect(`the row ${wanted.id}`, read.value, wanted);
    times.push(read.ms);
  }
  return times;
}
