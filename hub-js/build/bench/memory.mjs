/** How much memory processes take, a page that several share counted in parts (PSS). Linux only, as the browser tests are. */
import { readFileSync } from 'node:fs';

const KIB = 1_024;

/** In bytes. A process that has just ended has none. */
export const memory = (pids) => pids.reduce((sum, pid) => sum + ofProcess(pid), 0);

function ofProcess(pid) {
  try {
    const [, kib] = /^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'));
    return Number(kib) * KIB;
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes(error.code)) return 0;
    throw error;
  }
}
