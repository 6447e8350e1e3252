/** G: 100 MB are opened in a browser that has just started, and one row is read; then all are counted, and the memory looked at. */
import { sleep } from '../../../../tests/e2e/deadline.mjs';
import { memory } from '../memory.mjs';

const MB = 1_000_000;
const MIB = 1 << 20;
const FILL = { mb: 100, bytes: 1_000, part: 2_000 };
const ROWS = (FILL.mb * MB) / FILL.bytes;
/** For what goes on behind an ack or an answer, and for memory to be given back. */
const SETTLE_MS = 400;
const STRIDE = 7_919;

const figure = (id, title, unit) => ({ id, workload: 'G', title, unit, better: 'less' });

export default {
  id: 'cold',
  workloads: ['G'],
  figures: [
    figure('G.row', 'open and read the first row', 'ms'),
    figure('G.memory', 'the browser\'s memory grown by that', 'MB'),
    figure('G.memory-all', 'the same after counting all rows', 'MB'),
    figure('G.hub-memory', 'the hub\'s memory after that', 'MiB'),
  ],
  prepare_ms: 90_000,
  deadline_ms: 60_000,
  why: () => null,
  async prepare(run) {
    const table = await run.open();
    await table.call('cold', 'fill', FILL);
    await sleep(SETTLE_MS);
    await table.call('cold', 'close');
  },
  async measure(run) {
    await run.restart();
    const tab = await run.page();
    await sleep(SETTLE_MS);
    const before = memory(run.browser.processes);
    const grown = async () => {
      await sleep(SETTLE_MS);
      return (memory(run.browser.processes) - before) / MB;
    };
    const { ms, table } = await run.openAndRead(tab, 1 + (((run.round + 1) * STRIDE) % ROWS), FILL.bytes);
    const figures = { 'G.row': ms, 'G.memory': await grown() };
    await table.call('cold', 'assertAll', ROWS);
    figures['G.memory-all'] = await grown();
    if (run.peer.id === 'tabhub') figures['G.hub-memory'] = (await table.call('cold', 'metrics')).memory_bytes / MIB;
    return figures;
  },
};
