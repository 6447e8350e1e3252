/** Full scans in the browser, cold and warm, and what IndexedDB itself gives. */
import { readRaw, timeQuery } from './pages.mjs';
import { MIB, ratios, show, spread, table } from './report.mjs';
import { RUN_MS } from './stage.mjs';

const SQL = 'SELECT sum(length(body)) FROM item';

/** Values of about 60 KiB in each request, and requests under way. */
const RAW = [[1, 1], [1, 4], [4, 1], [4, 2], [16, 1], [16, 2], [64, 1]].map(([groups, under_way]) => ({ groups, under_way }));
const rawName = ({ groups, under_way }) => `IndexedDB alone, ${groups} values × ${under_way}`;

export async function measure(stage) {
  const mb = stage.mb.small;
  const runs = Object.fromEntries(['cold', 'warm', 'warm, without fibers', ...RAW.map(rawName)].map((name) => [name, []]));
  for (let round = 0; round < stage.rounds; round++) {
    // Too small a cache for the whole: nothing is read in idle time.
    await stage.with('small', { cacheBytes: 32 * MIB }, async (tab) => runs.cold.push((await tab.run(timeQuery, { sql: SQL }, RUN_MS)).ms));
    for (const [name, parameters] of [['warm', {}], ['warm, without fibers', { jspi: 'off' }]]) {
      await stage.with('small', { cacheBytes: 256 * MIB, parameters }, async (tab) => {
        await tab.run(timeQuery, { sql: SQL }, RUN_MS);
        const times = [];
        while (times.length < 3) times.push((await tab.run(timeQuery, { sql: SQL }, RUN_MS)).ms);
        runs[name].push(spread(times).median);
      });
    }
    const page = await stage.page('small');
    // In another order each time: the browser gets slower or faster while it reads.
    for (const raw of [...RAW.slice(round), ...RAW.slice(0, round)]) runs[rawName(raw)].push((await page.run(readRaw, raw, RUN_MS)).ms);
    await page.close();
  }
  const figures = Object.entries(runs).map(([name, times]) => ({ name, mb_per_s: spread(times.map((ms) => mb / ms * 1000)), time_to_cold: ratios(times, runs.cold) }));
  table(`A scan of ${mb} MB: median of ${stage.rounds} (least–most)`, ['', 'MB/s', 'time, × cold'], figures.map(({ name, mb_per_s, time_to_cold }) => [name, show(mb_per_s), show(time_to_cold)]));
  return figures;
}
