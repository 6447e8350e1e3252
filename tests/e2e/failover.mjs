// Plays a scenario, judges what came of it and reports how long the tabs waited. failover.test.mjs calls it for each engine and mode. It
// never asserts a time.
import assert from 'node:assert/strict';
import { appendFileSync } from 'node:fs';
import { sleep } from './deadline.mjs';
import { acksOf, problemsOf, readLedger } from './ledger.mjs';
import { Scene } from './scene.mjs';
import { around, longestOfEach, quantile } from './waits.mjs';

const FOUR_TABS = [{}, {}, {}, {}];
const BEFORE_MS_MAX = 800;
const AFTER_MS = 400;

/** Answers a line that tells of it. Where `npm run failover` wants the figures, it names a file for them. */
export async function play(world, { engine, mode, scenario, round, random }) {
  const scene = new Scene(world, mode, `${scenario.id}-${round}.db`);
  await scene.begin(scenario.tabs ?? FOUR_TABS, scenario);
  await scene.goOn(scene.tabs, 'before it');
  await sleep(random() * BEFORE_MS_MAX);
  const [hub] = scene.numbersOf([scene.hub]);
  const from = Date.now();
  await scenario.act(scene, random);
  const over = Date.now();
  await scene.goOn(scene.tabs, 'after it');
  const to = Date.now();
  await sleep(AFTER_MS);
  await scene.stop();

  const { said } = scene;
  await judge(scene, said);
  // Of the hub's own tab it is no news that it waited while it was frozen.
  const waits = around(said.waits, from, to).filter(({ tab }) => tab !== hub);
  const figures = { acks: acksOf(said), lost: said.lost, goOnMs: to - over, ...spreadOf(waits), ...(await failoversOf(scene.tabs)) };
  if (process.env.FAILOVER_FILE) appendFileSync(process.env.FAILOVER_FILE, `${JSON.stringify({ engine, mode, id: scenario.id, ...figures })}\n`);
  await scene.closeAll();
  return [shown(figures), ...scene.notes].join('; ');
}

/** Every acknowledged write is there once, and all tabs agree: on the hub, and on every row. */
async function judge(scene, said) {
  const { tabs, numbers, gone } = scene;
  const found = await readLedger(tabs[0], numbers);
  assert.deepEqual(problemsOf(said, found, numbers, { open: false, gone }), []);
  assert.equal(found.earlier.rows, 0, 'nobody else wrote');
  const hubs = await Promise.all(tabs.map((tab) => tab.run(() => `${db.status.state} ${db.status.hub}`)));
  assert.equal(new Set(hubs).size, 1, `all tabs are with one hub: ${hubs.join(', ')}`);
  const digests = await Promise.all(tabs.map((tab) => tab.run(digest)));
  assert.equal(new Set(digests).size, 1, `all tabs read the same: ${digests.join(', ')}`);
}

/* Runs in the page. */
async function digest() {
  const tables = ['SELECT * FROM entry ORDER BY tab, lane, n, part', 'SELECT * FROM counter ORDER BY tab', 'SELECT * FROM shared'];
  const rows = await Promise.all(tables.map((sql) => db.all(sql, [], { rowMode: 'array' })));
  return harness.sha256(new TextEncoder().encode(JSON.stringify(rows)));
}

/** `longest`: of each tab. */
function spreadOf(waits) {
  return { waits: waits.length, p99: quantile(waits.map(({ ms }) => ms), 0.99), longest: longestOfEach(waits) };
}

/** As many as the tab that saw the most, and the longest of all. */
async function failoversOf(tabs) {
  const seen = await Promise.all(tabs.map((tab) => tab.run(() => failovers)));
  return { failovers: Math.max(...seen.map(({ length }) => length)), failoverMs: Math.max(0, ...seen.flat().map(({ ms }) => ms)) };
}

function shown({ acks, lost, goOnMs, waits, p99, longest, failovers, failoverMs }) {
  const ms = (value) => `${Math.round(value ?? 0)} ms`;
  return `${acks} acks, ${lost} open transactions lost, longest wait ${ms(longest[0])}, p99 ${ms(p99)} of ${waits}, ${failovers} failovers (${ms(failoverMs)}), all went on ${ms(goOnMs)} after it`;
}
