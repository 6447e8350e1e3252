/** H: how soon a commit of one tab is read in another. */
import { Skipped } from '../skipped.mjs';

export default {
  id: 'notice',
  workloads: ['H'],
  figures: [{ id: 'H.seen', workload: 'H', title: 'from the call that commits to the row read in the other tab', unit: 'ms', better: 'less' }],
  deadline_ms: 60_000,
  why: ({ tabs }) => (tabs ? null : 'one tab at a time'),
  async measure(run) {
    const writer = await run.open({ watch: true });
    await writer.call('notice', 'create');
    const reader = await run.open({ watch: true });
    if (!(await reader.call('notice', 'watch'))) throw new Skipped('tells no other tab');
    return { 'H.seen': await writer.call('notice', 'commitsSeen') };
  },
};
