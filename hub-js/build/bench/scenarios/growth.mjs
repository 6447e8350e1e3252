/** L: what tabhub costs as tabs, tables and megabytes grow. The peers are no part of it. */
import { sleep } from '../../../../tests/e2e/deadline.mjs';

const TABS = [1, 2, 4, 8, 16];
const TABLES = [1, 100, 1_000, 10_000];
const SIZES_MB = [1, 10, 100];
const LARGE_MB = 1_000;
const QUERIES = [1, 10, 100, 1_000];
const FILL = { bytes: 1_000, part: 4_000 };
const ROWS_PER_MB = 1_000;
const EACH_MS = 800;
const BYTES = 100;
const IDS = 1_000_000;
const LEAD_MS = 500;
const SETTLE_MS = 1_000;
const SECOND = 1_000;

/** `series` and `point`: where it stands in the table of growth. */
const figure = (series, point, column, title, unit, better) => ({ id: `L.${series}-${point}.${column}`, workload: 'L', title, unit, better, series, point });

const TAB_FIGURES = (tabs) => [
  figure('tabs', tabs, 'writes', 'writes of all tabs', '/s', 'more'),
  figure('tabs', tabs, 'reads', 'reads of all tabs', '/s', 'more'),
];
const ROW_FIGURES = (series) => (point) => [
  figure(series, point, 'write', 'one write', 'ms', 'less'),
  figure(series, point, 'read', 'one read', 'ms', 'less'),
  figure(series, point, 'open', 'open and first row, browser restarted', 'ms', 'less'),
];

export default {
  id: 'growth',
  workloads: ['L'],
  figures: [
    ...TABS.flatMap(TAB_FIGURES),
    ...TABLES.flatMap(ROW_FIGURES('tables')),
    ...[...SIZES_MB, LARGE_MB].flatMap(ROW_FIGURES('MB')),
    ...QUERIES.map((count) => figure('live queries', count, 'told', 'from a write to what the query tells that it concerns', 'ms', 'less')),
  ],
  // Its figures stand beside one another, not beside a peer's.
  rounds_max: 1,
  deadline_ms: 600_000,
  why: ({ id }) => (id === 'tabhub' ? null : 'is of tabhub alone'),
  async measure(run) {
    const sizes = run.options.large ? [...SIZES_MB, LARGE_MB] : SIZES_MB;
    const figures = await ofTabs(run);
    await ofQueries(run, figures);
    for (const count of TABLES) {
      const make = (table) => table.call('growth', 'createTables', count);
      await ofDatabase(run, figures, `tables-${count}`, { rows: ROWS_PER_MB, make });
    }
    for (const mb of sizes) await ofDatabase(run, figures, `MB-${mb}`, { rows: mb * ROWS_PER_MB });
    return figures;
  },
};

/** Every tab works at once; the tabs of one count stay for the next. */
async function ofTabs(run) {
  const figures = {};
  const tables = await run.openSeveral(1, { place: 'tabs' });
  await tables[0].call('points', 'fill', { rows: ROWS_PER_MB, bytes: BYTES });
  for (const count of TABS) {
    tables.push(...await run.openSeveral(count - tables.length, { place: 'tabs' }));
    const all = (module, name, argumentOf) => {
      const together = { bytes: BYTES, ms: EACH_MS, at: Date.now() + LEAD_MS };
      return Promise.all(tables.map((table, at) => table.call(module, name, { ...together, ...argumentOf(at) })));
    };
    const writes = await all('singles', 'insertFrom', (at) => ({ first: (count * TABS.at(-1) + at + 1) * IDS }));
    const reads = await all('points', 'readPoints', () => ({ rows: ROWS_PER_MB, warmup_ms: LEAD_MS / 2 }));
    figures[`L.tabs-${count}.writes`] = (writes.reduce((sum, { rows }) => sum + rows, 0) * SECOND) / Math.max(...writes.map(({ took_ms }) => took_ms));
    figures[`L.tabs-${count}.reads`] = reads.reduce((sum, rate) => sum + rate, 0);
  }
  await Promise.all(tables.map(({ tab }) => tab.close()));
  return figures;
}

/** Each follows one row; the writes concern the first. */
async function ofQueries(run, figures) {
  for (const count of QUERIES) {
    const table = await run.open({ place: `live-${count}` });
    await table.call('points', 'fill', { rows: ROWS_PER_MB, bytes: BYTES });
    figures[`L.live queries-${count}.told`] = await table.call('growth', 'followed', { count, bytes: BYTES, ms: EACH_MS });
    await table.tab.close();
  }
}

async function ofDatabase(run, figures, place, { rows, make = () => {} }) {
  const table = await run.open({ place: place.toLowerCase() });
  await table.call('cold', 'fill', { ...FILL, mb: rows / ROWS_PER_MB });
  await make(table);
  await sleep(SETTLE_MS);
  const { write, read } = await table.call('growth', 'oneByOne', { rows, bytes: FILL.bytes, ms: EACH_MS });
  await table.call('cold', 'close');
  await run.restart();
  const { ms } = await run.openAndRead(await run.page(place.toLowerCase()), Math.ceil(rows / 2), FILL.bytes);
  Object.assign(figures, { [`L.${place}.write`]: write, [`L.${place}.read`]: read, [`L.${place}.open`]: ms });
}
