/** E: point reads by key from one tab and from four at once; for tabhub also against bare messages, in the hub's process and in another one. */
const TABS = 4;
const POINTS = { rows: 10_000, bytes: 100, ms: 700, warmup_ms: 200 };
/** Time for every tab to warm up and to hear of the beginning. */
const LEAD_MS = POINTS.warmup_ms + 350;

const figure = (id, title, unit, better) => ({ id, workload: 'E', title, unit, better });

export default {
  id: 'points',
  workloads: ['E'],
  figures: [
    figure('E.one', 'one tab', '/s', 'more'),
    figure('E.four', '4 tabs at once', '/s', 'more'),
    figure('E.of-echo', 'reads / bare messages, tab in the hub\'s process', '×', 'more'),
    figure('E.of-echo-across', 'reads / bare messages, tab in another process', '×', 'more'),
    figure('E.echo', 'bare messages, tab in the hub\'s process', '/s', 'more'),
    figure('E.echo-across', 'bare messages, tab in another process', '/s', 'more'),
  ],
  deadline_ms: 60_000,
  why: () => null,
  async measure(run) {
    const first = await run.open();
    await first.call('points', 'fill', POINTS);
    const figures = { 'E.one': await first.call('points', 'readPoints', POINTS) };
    if (!run.peer.tabs) return figures;
    const others = await run.openSeveral(TABS - 1);
    if (run.peer.id === 'tabhub') Object.assign(figures, await againstEcho(first, others[0]));
    const at = Date.now() + LEAD_MS;
    const rates = await Promise.all([first, ...others].map((table) => table.call('points', 'readPoints', { ...POINTS, at })));
    return { ...figures, 'E.four': rates.reduce((sum, rate) => sum + rate, 0) };
  },
};

/** The echo's worker lives in the process of the tab that opens it first, as the hub does. */
async function againstEcho(first, other) {
  const same = await first.call('points', 'besideEcho');
  const across = await other.call('points', 'besideEcho');
  return {
    'E.of-echo': same.reads / same.echoes,
    'E.of-echo-across': across.reads / across.echoes,
    'E.echo': same.echoes,
    'E.echo-across': across.echoes,
  };
}
