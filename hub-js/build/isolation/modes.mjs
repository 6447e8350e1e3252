/** The two modes side by side, by turns: a round trip, durable writes of four tabs at once, and how long tabs are without a hub when its process is killed. */
import { quantile, ratios, show, spread, table } from './report.mjs';

const MODES = ['shared', 'leader'];
const TABS = 4;
const TRIPS = 500;
const WRITE_MS = 2_000;
const FAILOVER_MS = 30_000;

export async function measure(stage) {
  const runs = Object.fromEntries(MODES.map((mode) => [mode, []]));
  for (let round = 0; round < stage.rounds; round++) {
    for (const mode of round % 2 ? [...MODES].reverse() : MODES) runs[mode].push(await once(stage, mode, `modes-${mode}-${round}.db`));
  }
  const figures = {};
  for (const what of ['trip_ms', 'trip_p99_ms', 'writes_per_s', 'failover_ms', 'slowest_failover_ms']) {
    const of = (mode) => runs[mode].map((run) => run[what]);
    figures[what] = { shared: spread(of('shared')), leader: spread(of('leader')), ratio: ratios(of('leader'), of('shared')) };
  }
  const rows = Object.entries(figures).map(([what, { shared, leader, ratio }]) => [what.replaceAll('_', ' '), show(shared), show(leader), show(ratio)]);
  table(`Shared and leader mode by turns: median of ${stage.rounds} (least–most), ${TABS} tabs`, ['', 'shared', 'leader', 'leader / shared'], rows);
  return figures;
}

/** The first tab has the hub; the others are in processes of their own. */
async function once(stage, mode, name) {
  const tabs = [];
  while (tabs.length < TABS) {
    const tab = await stage.page('empty');
    await tab.run(openHere, { name, mode });
    tabs.push(tab);
  }
  const [first, ...others] = tabs;
  await first.run(() => db.exec('CREATE TABLE item (tab INTEGER, n INTEGER)'));
  const trips = await others[0].run(timeTrips, TRIPS);
  const counts = await Promise.all(tabs.map((tab, at) => tab.run(writeFor, { tab: at, ms: WRITE_MS })));
  await Promise.all(others.map((tab) => tab.run(listen)));
  const pid = await stage.processOfHub(first);
  await stage.killProcess(pid);
  const failovers = await Promise.all(others.map((tab) => tab.run(() => failover, null, FAILOVER_MS)));
  await Promise.all(tabs.map((tab) => tab.close().catch(() => {})));
  const sum = counts.reduce((sum, count) => sum + count, 0);
  // The mean, because a clock may count whole milliseconds.
  return { trip_ms: trips.reduce((sum, ms) => sum + ms, 0) / TRIPS, trip_p99_ms: quantile(trips, 0.99), writes_per_s: (sum / WRITE_MS) * 1_000, failover_ms: quantile(failovers, 0.5), slowest_failover_ms: Math.max(...failovers) };
}

/* These run in the page. */
async function openHere({ name, mode }) {
  globalThis.db = await tabhub.open(name, { mode });
}

async function timeTrips(count) {
  const times = [];
  for (let n = 0; n < count; n++) {
    const begun = performance.now();
    await db.get('SELECT 1');
    times.push(performance.now() - begun);
  }
  return times;
}

/** Each write awaits its own acknowledgement. */
async function writeFor({ tab, ms }) {
  let n = 0;
  for (const end = performance.now() + ms; performance.now() < end; n++) await db.run('INSERT INTO item VALUES (?, ?)', [tab, n]);
  return n;
}

function listen() {
  globalThis.failover = new Promise((resolve) => db.on('failover', ({ ms }) => resolve(ms)));
}
