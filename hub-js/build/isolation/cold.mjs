/** Opening and the first row by key in a browser that has just started, for databases of three sizes by turns. */
import { openAlone, openAndRead } from './pages.mjs';
import { ratios, show, spread, table } from './report.mjs';

const NAMES = ['empty', 'small', 'large'];
const OPEN_MS = 60_000;

export async function measure(stage) {
  for (const name of NAMES) await stage.fill(name);
  const times = Object.fromEntries(NAMES.map((name) => [name, []]));
  const rounds = stage.rounds + 4;
  for (let round = 0; round < rounds; round++) {
    for (let at = 0; at < NAMES.length; at++) {
      const name = NAMES[(round + at) % NAMES.length];
      await stage.restart();
      const alone = await openedAlone(stage, name);
      await stage.restart();
      times[name].push({ alone, ...await once(stage, name, round) });
    }
  }
  const figures = NAMES.map((name) => {
    const of = (figure, of = name) => times[of].map((time) => time[figure]);
    const { blocks_read, blocks_total } = times[name].at(-1).metrics;
    return { mb: stage.mb[name], open_ms: spread(of('open')), row_ms: spread(of('row')), alone_ms: spread(of('alone')), ratio: ratios(of('row'), of('row', 'empty')), ratio_of_medians: spread(of('row')).median / spread(of('row', 'empty')).median, blocks_read, blocks_total };
  });
  const rows = figures.map((f) => [`${f.mb} MB`, show(f.open_ms), show(f.row_ms), f.ratio_of_medians.toFixed(2), show(f.ratio), `${f.blocks_read} of ${f.blocks_total}`, show(f.alone_ms)]);
  table(`After a browser's start, ms: median of ${rounds} (least–most)`, ['', 'open', 'and first row', '× empty', 'round by round', 'blocks read', 'IndexedDB alone'], rows);
  return figures;
}

async function once(stage, name, round) {
  const tab = await stage.page(name);
  const id = 1 + (round * 7919) % Math.max(1, stage.rows[name]);
  const opened = await tab.run(openAndRead, { name: 'figures.db', id, options: { workerUrl: stage.worker() } }, OPEN_MS);
  await tab.close();
  return opened;
}

async function openedAlone(stage, name) {
  const tab = await stage.page(name);
  const ms = await tab.run(openAlone, { name: 'figures.db' }, OPEN_MS);
  await tab.close();
  return ms;
}
