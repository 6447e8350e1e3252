import { PGlite } from '@electric-sql/pglite';
import { live } from '@electric-sql/pglite/live';
import { pglitePeer } from './shared/pglite-peer.js';

/** As its README begins: without a worker, which costs dozens of messages a query, and so for one tab only. */
export default pglitePeer({
  id: 'pglite-in-page',
  name: 'PGlite in the page',
  storage: 'indexeddb',
  scheme: 'idb',
  tabs: false,
  ack: {
    strict: "IndexedDB transaction complete, at the browser's default durability: in Chromium not flushed",
    relaxed: 'in memory; IndexedDB transaction to come',
  },
  connect: async (options) => {
    const pg = await PGlite.create({ ...options, extensions: { live } });
    // Relaxed, close() alone leaves behind what has still to be written.
    return { pg, flush: () => pg.fs.syncToFs() };
  },
});
