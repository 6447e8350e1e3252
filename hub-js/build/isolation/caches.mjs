/** One workload at several sizes of the cache: skewed point reads over both databases, then the same after a scan of the smaller one. */
import { mixedReads, timeQuery } from './pages.mjs';
import { mib, MIB, ratios, show, spread, table } from './report.mjs';
import { RUN_MS } from './stage.mjs';

const SIZES_MIB = [4, 8, 16, 32, 64];
const TODAY_MIB = 32;
const READS = 3_000;
const STEPS = ['large', 'small', 'scan', 'again'];

export async function measure(stage) {
  const runs = Object.fromEntries(SIZES_MIB.map((size) => [size, []]));
  for (let round = 0; round < stage.rounds; round++) {
    for (let at = 0; at < SIZES_MIB.length; at++) {
      const size = SIZES_MIB[(round + at) % SIZES_MIB.length];
      runs[size].push(await once(stage, size * MIB));
    }
  }
  const figures = SIZES_MIB.map((size) => {
    const of = (step) => ratios(runs[size].map((run) => run[step]), runs[TODAY_MIB].map((run) => run[step]));
    const memory = (which) => spread(runs[size].map((run) => run[which]));
    return { cache_mib: size, ratios: Object.fromEntries([...STEPS, 'all'].map((step) => [step, of(step)])), all_ms: spread(runs[size].map((run) => run.all)), memory_large: memory('memory_large'), memory_small: memory('memory_small') };
  });
  const rows = figures.map((f) => [`${f.cache_mib} MiB`, ...[...STEPS, 'all'].map((step) => show(f.ratios[step])), show(f.all_ms), mib(f.memory_large.median), mib(f.memory_small.median)]);
  const head = ['cache', `${READS} reads of ${stage.mb.large} MB`, `of ${stage.mb.small} MB`, 'scan', 'reads again', 'all', 'all, ms', 'memory, MiB', `of ${stage.mb.small} MB`];
  table(`Time at a cache of so many MiB, × that at ${TODAY_MIB} MiB: median of ${stage.rounds} (least–most)`, head, rows);
  return figures;
}

async function once(stage, cacheBytes) {
  const run = {};
  await stage.with('large', { cacheBytes }, async (tab) => {
    run.large = await tab.run(mixedReads, { rows: stage.rows.large, reads: READS }, RUN_MS);
    run.memory_large = (await tab.run(() => db.metrics())).memory_bytes;
  });
  await stage.with('small', { cacheBytes }, async (tab) => {
    const reads = () => tab.run(mixedReads, { rows: stage.rows.small, reads: READS }, RUN_MS);
    run.small = await reads();
    const { ms, metrics } = await tab.run(timeQuery, { sql: 'SELECT sum(length(body)) FROM item' }, RUN_MS);
    run.scan = ms;
    run.memory_small = metrics.memory_bytes;
    run.again = await reads();
  });
  run.all = STEPS.reduce((sum, step) => sum + run[step], 0);
  return run;
}
