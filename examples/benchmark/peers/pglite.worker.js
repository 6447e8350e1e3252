/** PGlite's own multi-tab worker: the tab that leads runs Postgres for all of them. */
import { PGlite } from '@electric-sql/pglite';
import { worker } from '@electric-sql/pglite/worker';

let leading;
worker({ init: ({ dataDir, relaxedDurability }) => (leading = PGlite.create({ dataDir, relaxedDurability })) });

// Relaxed, PGlite offers nobody to wait for what it has still to write, and a worker that is terminated loses it.
addEventListener('message', async ({ data }) => {
  if (data !== 'flush') return;
  try {
    await (await leading)?.fs.syncToFs();
    postMessage({ flushed: true });
  } catch (error) {
    postMessage({ flushed: false, reason: String(error) });
  }
});
