/** Point reads of three tabs while a fourth runs a long query, beside the same without fibers and without the long query. */
import { nothing, queryFor, readPoints, timeQuery } from './pages.mjs';
import { quantile, show, spread, table } from './report.mjs';
import { RUN_MS } from './stage.mjs';

const LONG_MS = 5_000;
const READING_MS = 4_500;
/** What a person notices; the goal for the longest. */
const NOTICED_MS = 20;
/** They stay in the cache, so a slow read waited for the other tab and not for the disk. */
const HOT_ROWS = 4_000;
const ANY_ROWS = 100_000;
const READERS = 3;

/** `size` makes each about five seconds long. */
const LONG = {
  'arithmetic': { sql: 'WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) SELECT max(i) FROM n', size: 500_000 },
  'a join that misses the cache': { sql: 'SELECT count(*), sum(length(b.body)) FROM item a JOIN item b ON b.id = 1 + a.id * 7919 % 100000 WHERE a.id <= ?', size: 2_000 },
  'scans': { sql: 'SELECT sum(length(body)) FROM item WHERE id <= ?', size: 100_000, isFixed: true },
};
/** `rows`: which ones are read; `parameters`: of the worker. */
const RUNS = [
  { name: 'no long query' },
  { name: 'beside arithmetic', long: 'arithmetic' },
  { name: 'beside a join that misses the cache', long: 'a join that misses the cache' },
  // Both wait for the disk.
  { name: 'any of 100,000 rows, no long query', rows: ANY_ROWS },
  { name: 'any of 100,000 rows, beside scans', rows: ANY_ROWS, long: 'scans' },
  // Without fibers the join would begin anew at each miss: it is not the same query any more.
  { name: 'beside arithmetic, without fibers', long: 'arithmetic', parameters: { jspi: 'off' } },
];

export async function measure(stage) {
  const sizes = await calibrate(stage);
  const measured = RUNS.map(({ name }) => ({ name, runs: [] }));
  for (let round = 0; round < stage.rounds; round++) {
    for (const [at, run] of RUNS.entries()) measured[at].runs.push(await once(stage, run, sizes));
  }
  const figures = measured.map(({ name, runs }) => ({ name, ...Object.fromEntries(Object.keys(runs[0]).map((figure) => [figure, spread(runs.map((run) => run[figure]))])) }));
  const head = ['', 'p50', 'p99', 'p99.9', 'longest', `over ${NOTICED_MS} ms`, 'reads', 'echo: p99.9', 'longest', `over ${NOTICED_MS} ms`, 'the long query'];
  const rows = figures.map((f) => [f.name, ...[f.p50, f.p99, f.p999, f.longest, f.noticed, f.reads, f.echo_p999, f.echo_longest, f.echo_noticed, f.long_ms].map(show)]);
  table(`Point reads in ${READERS} tabs, ms: median of ${stage.rounds} runs (least–most); echo: messages to a worker that only answers`, head, rows);
  return figures;
}

async function calibrate(stage) {
  const sizes = {};
  await stage.with('small', {}, async (tab) => {
    for (const [name, { sql, size, isFixed }] of Object.entries(LONG)) {
      let now = size;
      for (let tries = 0; tries < 3 && !isFixed; tries++) {
        const { ms } = await tab.run(timeQuery, { sql, params: [now] }, RUN_MS);
        now = Math.round(now * LONG_MS / ms);
      }
      sizes[name] = Math.min(now, name === 'arithmetic' ? Infinity : stage.rows.small);
    }
  });
  return sizes;
}

async function once(stage, { long, parameters, rows = HOT_ROWS }, sizes) {
  const workerUrl = stage.worker(parameters);
  const tabs = [];
  while (tabs.length < READERS + 1) tabs.push(await stage.tab('small', { workerUrl }));
  const [writer, ...readers] = tabs;
  // Their blocks come into the cache, and the engine compiles.
  await Promise.all(readers.map((tab) => tab.run(readPoints, { rows, ms: 700 })));
  const running = long ? writer.run(queryFor, { sql: LONG[long].sql, params: [sizes[long]], ms: READING_MS }, RUN_MS) : 0;
  await readers[0].run(nothing, 100);
  const times = await Promise.all(readers.map((tab) => tab.run(readPoints, { rows, ms: READING_MS - 200 }, RUN_MS)));
  const long_ms = await running;
  await Promise.all(tabs.map((tab) => tab.close()));
  const [reads, echoes] = [times.flatMap(({ reads }) => reads), times.flatMap(({ echoes }) => echoes)];
  const noticed = (all) => all.filter((ms) => ms > NOTICED_MS).length;
  return {
    p50: quantile(reads, 0.5), p99: quantile(reads, 0.99), p999: quantile(reads, 0.999), longest: quantile(reads, 1), noticed: noticed(reads), reads: reads.length,
    echo_p999: quantile(echoes, 0.999), echo_longest: quantile(echoes, 1), echo_noticed: noticed(echoes), long_ms,
  };
}
