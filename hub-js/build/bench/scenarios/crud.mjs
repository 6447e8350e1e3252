/** A: the ancestor's table. */
const STEPS = { insert: 'insert 1000 × 100 B', read: 'read all', update: 'update half', delete: 'delete a quarter' };

export default {
  id: 'crud',
  workloads: ['A'],
  figures: Object.entries(STEPS).map(([step, title]) => ({ id: `A.${step}`, workload: 'A', title, unit: 'ms', better: 'less' })),
  deadline_ms: 60_000,
  why: () => null,
  async measure(run) {
    const table = await run.open();
    const times = await table.call('crud', 'crud');
    return Object.fromEntries(Object.entries(times).map(([step, ms]) => [`A.${step}`, ms]));
  },
};
