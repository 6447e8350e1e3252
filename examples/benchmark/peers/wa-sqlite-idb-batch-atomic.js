import { waSqlitePeer } from './shared/wa-sqlite-peer.js';

export default waSqlitePeer({
  id: 'wa-sqlite-idb-batch-atomic',
  name: 'wa-sqlite IDBBatchAtomic',
  storage: 'indexeddb',
  ack: {
    strict: 'IndexedDB transaction complete, strict',
    relaxed: 'IndexedDB requests made, transaction (relaxed) not yet complete',
  },
  tabs: true,
  wasm: 'wa-sqlite-jspi.wasm',
});
