/** D and F: 100,000 rows in one transaction, and what is read of them: in one page, because making them takes longest. */
export default {
  id: 'bulk',
  workloads: ['D', 'F'],
  figures: [
    { id: 'D.insert', workload: 'D', title: '100,000 rows of 5 columns in one transaction', unit: 'ms', better: 'less' },
    { id: 'F.aggregate', workload: 'F', title: 'aggregate over 100,000 rows', unit: 'ms', better: 'less' },
    { id: 'F.objects', workload: 'F', title: '10,000 × 5 rows as objects', unit: 'ms', better: 'less' },
  ],
  deadline_ms: 120_000,
  why: () => null,
  async measure(run) {
    const table = await run.open();
    const { insert, aggregate, objects } = await table.call('bulk', 'bulk');
    return { 'D.insert': insert, 'F.aggregate': aggregate, 'F.objects': objects };
  },
};
