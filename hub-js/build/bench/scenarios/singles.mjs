/** B and B': durable transactions of one row from one tab. */
const DURABILITIES = ['strict', 'relaxed'];
const ONE_BY_ONE = { strict: 'one after another, strict', relaxed: 'one after another, relaxed' };

export default {
  id: 'singles',
  workloads: ['B', "B'"],
  figures: [
    ...DURABILITIES.map((durability) => ({ id: `B.${durability}`, workload: 'B', title: ONE_BY_ONE[durability], unit: '/s', better: 'more' })),
    { id: "B'.at-once", workload: "B'", title: '500 at once, strict', unit: '/s', better: 'more' },
  ],
  deadline_ms: 60_000,
  why: () => null,
  async measure(run) {
    const figures = {};
    for (const durability of DURABILITIES.filter((durability) => run.peer.ack[durability] !== null)) {
      const table = await run.open({ durability, place: durability });
      figures[`B.${durability}`] = await table.call('singles', 'oneByOne');
      if (durability === run.durability) figures["B'.at-once"] = await table.call('singles', 'atOnce');
      await table.tab.close();
    }
    return figures;
  },
};
