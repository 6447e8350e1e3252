/** What it costs a point read that every statement runs as a fiber: by turns with a hub that has none. */
import { alternateReads, openSeveral } from './pages.mjs';
import { ratios, show, spread, table } from './report.mjs';
import { RUN_MS } from './stage.mjs';

const READS = 500;
const ROWS = 2_000;

export async function measure(stage) {
  const tab = await stage.page('tiny');
  await tab.run(openSeveral, { urls: [stage.worker(), stage.worker({ jspi: 'off' })], rows: ROWS });
  const [fibers, without] = await tab.run(alternateReads, { rounds: stage.rounds * 8, reads: READS, rows: ROWS }, RUN_MS);
  await tab.close();
  const each = (times) => spread(times.map((ms) => ms / READS));
  const figures = { fibers_ms: each(fibers), without_ms: each(without), ratio: ratios(fibers, without) };
  table(`One point read, ms: ${stage.rounds * 8} rounds of ${READS}, by turns`, ['with fibers', 'without', 'ratio'], [[show(figures.fibers_ms), show(figures.without_ms), show(figures.ratio)]]);
  return figures;
}
