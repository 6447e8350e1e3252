/** Workload E: point reads by key, one after another; and the control beside them, messages to a SharedWorker that only answers. */
import { expect, itemsOf, sleepUntil } from './common.js';

export const POINTS = { rows: 10_000, bytes: 100, ms: 700, warmup_ms: 200 };
/** By turns in one tab, so that both meet the same machine. */
export const TURNS = { ...POINTS, turns: 8, turn_ms: 100 };

const SECOND = 1_000;
/** Keys in an order that no engine can guess from the last one; it meets all of them, since it shares no factor with the number of rows. */
const STRIDE = 7_919;

export async function fill(table, { rows, bytes } = POINTS) {
  await table.create();
  await table.insertMany(itemsOf(rows, bytes));
}

/** Reads a second. `at`: a moment of the wall's clock at which the tabs begin together. */
export async function readPoints(table, { rows, bytes, ms, warmup_ms, at } = POINTS) {
  const items = itemsOf(rows, bytes);
  await readFor(table, items, warmup_ms);
  if (at) await sleepUntil(at);
  return readFor(table, items, ms);
}

/** Reads a second and echoes a second, measured by turns, and the one divided by the other. */
export async function besideEcho(table, { rows, bytes, warmup_ms, turns, turn_ms } = TURNS) {
  const items = itemsOf(rows, bytes);
  const echo = await openEcho();
  await readFor(table, items, warmup_ms);
  await echoFor(echo, items, warmup_ms);
  const [reads, echoes] = [[], []];
  for (let turn = 0; turn < turns; turn++) {
    reads.push(await readFor(table, items, turn_ms));
    echoes.push(await echoFor(echo, items, turn_ms));
  }
  const mean = (rates) => rates.reduce((sum, rate) => sum + rate, 0) / rates.length;
  return { reads: mean(reads), echoes: mean(echoes) };
}

/** The first tab to call this hosts the worker, as the first one with a database hosts its hub; the worker's life is what a hub asks for, too. */
async function openEcho() {
  const { port } = new SharedWorker(new URL('./echo.worker.js', import.meta.url), { name: 'echo', extendedLifetime: true });
  const echo = (id) => new Promise((resolve) => {
    port.onmessage = ({ data }) => resolve(data);
    port.postMessage({ id });
  });
  expect('an echo', (await echo(1)).id, 1);
  return echo;
}

const readFor = (table, items, ms) => rateFor(ms, items, async (wanted) => {
  const row = await table.get(wanted.id);
  if (row?.id !== wanted.id || row.body !== wanted.body) expect(`the row ${wanted.id}`, row, wanted);
});

const echoFor = (echo, items, ms) => rateFor(ms, items, async ({ id }) => {
  const answer = await echo(id);
  if (answer.id !== id) expect('an echo', answer.id, id);
});

async function rateFor(ms, items, work) {
  const begun = performance.now();
  let done = 0;
  while (performance.now() - begun < ms) await work(items[(done++ * STRIDE) % items.length]);
  return (done * SECOND) / (performance.now() - begun);
}
