/** I: the longest that a point read of one tab waits while another tab's query computes for three seconds. */
import { sleep } from '../../../../tests/e2e/deadline.mjs';
import { quantile } from '../../isolation/report.mjs';

const QUERY_MS = 3_000;
/** How long reads go on before the query begins. */
const LEAD_MS = 400;
const FILL = { rows: 1_000, bytes: 100 };

const figure = (id, title, isAside = false) => ({ id, workload: 'I', title, unit: 'ms', better: 'less', isAside });

export default {
  id: 'stall',
  workloads: ['I'],
  figures: [figure('I.longest', 'longest'), figure('I.p99', 'p99', true), figure('I.p50', 'p50', true)],
  deadline_ms: 60_000,
  why({ tabs, engine }) {
    if (engine === 'none') return 'has no queries of its own';
    return tabs ? null : 'one tab at a time';
  },
  async measure(run) {
    const reader = await run.open();
    await reader.call('points', 'fill', FILL);
    const other = await run.open();
    const steps = await other.call('stall', 'calibrate', QUERY_MS);
    const reading = reader.call('stall', 'readTimes', { ...FILL, ms: LEAD_MS + QUERY_MS });
    await sleep(LEAD_MS);
    const [times] = await Promise.all([reading, other.call('stall', 'compute', steps)]);
    return { 'I.longest': quantile(times, 1), 'I.p99': quantile(times, 0.99), 'I.p50': quantile(times, 0.5) };
  },
};
