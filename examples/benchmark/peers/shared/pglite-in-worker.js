/** PGlite behind its multi-tab worker: the tab that leads runs Postgres for all. */
import { live } from '@electric-sql/pglite/live';
import { PGliteWorker } from '@electric-sql/pglite/worker';

export const PGLITE_WORKER = 'pglite.worker.js';

export async function connectToWorker(options) {
  const worker = new Worker(new URL(`./${PGLITE_WORKER}`, import.meta.url), { type: 'module' });
  const pg = await PGliteWorker.create(worker, { ...options, id: options.dataDir, extensions: { live } });
  return { pg, flush: () => flush(worker) };
}

function flush(worker) {
  const answered = new Promise((resolve) => worker.addEventListener('message', ({ data }) => data.flushed !== undefined && resolve(data)));
  worker.postMessage('flush');
  return answered.then(({ flushed, reason }) => {
    if (!flushed) throw new Error(`PGlite could not write what was left: ${reason}`);
  });
}
