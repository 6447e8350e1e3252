/** What it costs a long query alone that it gives way after each slice: by turns with hubs of other slices. */
import { alternateQueries, openSeveral } from './pages.mjs';
import { ratios, show, spread, table } from './report.mjs';
import { RUN_MS } from './stage.mjs';

const NEVER = '1000,100000';
const PACES = { 'default': {}, [NEVER]: { pace: NEVER }, '4,1000': { pace: '4,1000' }, '1.5,10000': { pace: '1.5,10000' }, 'without fibers': { jspi: 'off' } };
const QUERIES = {
  'arithmetic': 'WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000000) SELECT max(i) FROM n',
  'warm scans': 'SELECT sum(length(a.body)) FROM (VALUES (1), (2), (3), (4), (5), (6), (7), (8), (9), (10), (11), (12), (13), (14), (15), (16)) CROSS JOIN item a',
};
const ROWS = 20_000;

export async function measure(stage) {
  const tab = await stage.page('tiny');
  await tab.run(openSeveral, { urls: Object.values(PACES).map((parameters) => stage.worker(parameters)), rows: ROWS }, RUN_MS);
  const figures = [];
  for (const [query, sql] of Object.entries(QUERIES)) {
    const times = await tab.run(alternateQueries, { rounds: stage.rounds + 2, sql }, RUN_MS);
    const never = times[Object.keys(PACES).indexOf(NEVER)];
    Object.keys(PACES).forEach((pace, at) => figures.push({ query, pace, ms: spread(times[at]), ratio: ratios(times[at], never) }));
  }
  await tab.close();
  table(`A long query alone: median of ${stage.rounds + 2} (least–most)`, ['', 'slice, ms, steps', 'ms', `× never suspended (${NEVER})`], figures.map(({ query, pace, ms, ratio }) => [query, pace, show(ms), show(ratio)]));
  return figures;
}
