import { connectToWorker, PGLITE_WORKER } from './shared/pglite-in-worker.js';
import { pglitePeer } from './shared/pglite-peer.js';

/** Over IndexedDB, which its documents recommend in browsers. */
export default pglitePeer({
  id: 'pglite',
  name: 'PGlite',
  storage: 'indexeddb',
  scheme: 'idb',
  ack: {
    strict: "IndexedDB transaction complete, at the browser's default durability: in Chromium not flushed",
    relaxed: 'in memory; IndexedDB transaction to come',
  },
  tabs: true,
  worker: PGLITE_WORKER,
  connect: connectToWorker,
});
