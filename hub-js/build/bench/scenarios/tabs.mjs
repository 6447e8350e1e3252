/** C: durable transactions of one row from four tabs at once. */
const TABS = 4;
const WRITE_MS = 1_000;
const BYTES = 100;
/** Ids of the tabs do not meet. */
const IDS = 1_000_000;
/** Time for every tab to hear of the beginning. */
const LEAD_MS = 150;
const SECOND = 1_000;

export default {
  id: 'tabs',
  workloads: ['C'],
  figures: [{ id: 'C.writes', workload: 'C', title: `${TABS} tabs at once, each awaiting its own, strict`, unit: '/s', better: 'more' }],
  deadline_ms: 60_000,
  why: ({ tabs }) => (tabs ? null : 'one tab at a time'),
  async measure(run) {
    const first = await run.open();
    await first.call('singles', 'create');
    const tables = [first, ...await run.openSeveral(TABS - 1)];
    const write = async (first, ms) => {
      const at = Date.now() + LEAD_MS;
      const parts = await Promise.all(tables.map((table, tab) => table.call('singles', 'insertFrom', { first: first + tab * IDS, ms, bytes: BYTES, at })));
      return { rows: parts.reduce((sum, { rows }) => sum + rows, 0), took_ms: Math.max(...parts.map(({ took_ms }) => took_ms)) };
    };
    const warmup = await write(1, WRITE_MS / 4);
    const { rows, took_ms } = await write(IDS / 2, WRITE_MS);
    const [fifth] = await run.openSeveral(1);
    await fifth.call('singles', 'assertCount', warmup.rows + rows);
    return { 'C.writes': (rows * SECOND) / took_ms };
  },
};
