import { connectToWorker, PGLITE_WORKER } from './shared/pglite-in-worker.js';
import { pglitePeer } from './shared/pglite-peer.js';

/** Over its pool of OPFS access handles, which no Safari has. */
export default pglitePeer({
  id: 'pglite-opfs',
  name: 'PGlite OPFS',
  storage: 'opfs',
  scheme: 'opfs-ahp',
  ack: { strict: 'OPFS files flushed', relaxed: 'OPFS files written, not flushed' },
  tabs: true,
  worker: PGLITE_WORKER,
  connect: connectToWorker,
});
