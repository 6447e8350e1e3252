import { waSqlitePeer } from './shared/wa-sqlite-peer.js';

export default waSqlitePeer({
  id: 'wa-sqlite-idb-mirror',
  name: 'wa-sqlite IDBMirror',
  storage: 'indexeddb',
  ack: {
    strict: 'IndexedDB transaction complete, at the browser\'s default durability: in Chromium not flushed',
    relaxed: 'IndexedDB requests made, transaction not yet complete',
  },
  tabs: true,
  wasm: 'wa-sqlite-jspi.wasm',
});
