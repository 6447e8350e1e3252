/** The module's memory, which never shrinks, after one query of the large database at a cache of 16 MiB. */
import { timeQuery } from './pages.mjs';
import { mib, MIB, show, spread, table } from './report.mjs';
import { RUN_MS } from './stage.mjs';

const CACHE_BYTES = 16 * MIB;
const ROUNDS = 2;

const jobs = (rows) => ({
  'opening alone': 'SELECT 1',
  'scan': 'SELECT sum(length(body)) FROM item',
  'join of its halves': `SELECT count(*) FROM item a JOIN item b ON b.id = a.id + ${rows / 2} WHERE a.id <= ${rows / 2} AND length(a.body) = length(b.body)`,
  'ORDER BY body LIMIT 10': 'SELECT id FROM item ORDER BY body LIMIT 10',
  'sort by 16 bytes': 'SELECT max(n) FROM (SELECT row_number() OVER (ORDER BY substr(body, 1, 16)) AS n FROM item)',
  'sort of whole rows': 'SELECT max(n) FROM (SELECT row_number() OVER (ORDER BY body) AS n FROM item)',
});

export async function measure(stage) {
  const figures = [];
  for (const [name, sql] of Object.entries(jobs(stage.rows.large))) {
    const runs = [];
    while (runs.length < ROUNDS) runs.push(await stage.with('large', { cacheBytes: CACHE_BYTES }, (tab) => tab.run(timeQuery, { sql }, RUN_MS)));
    const beyond = spread(runs.map(({ metrics }) => metrics.memory_bytes - CACHE_BYTES));
    figures.push({ name, beyond_cache_bytes: beyond, ms: spread(runs.map(({ ms }) => ms)), code: runs[0].code ?? 'done', survived: runs.every(({ one }) => one === 1) });
  }
  const rows = figures.map(({ name, beyond_cache_bytes: b, ms, code, survived }) => [name, `+ ${mib(b.median)} (${mib(b.min)}–${mib(b.max)})`, show(ms), code, survived ? 'yes' : 'no']);
  table(`Peak memory over ${stage.mb.large} MB at a cache of 16 MiB, in MiB beyond the cache`, ['', 'memory', 'ms', 'outcome', 'hub goes on'], rows);
  return figures;
}
