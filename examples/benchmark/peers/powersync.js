import { WASQLiteVFS } from '@powersync/web';
import { powersyncPeer } from './shared/powersync-peer.js';

/** As it comes in Chromium: wa-sqlite over IndexedDB in one SharedWorker for all tabs. */
export default powersyncPeer({
  id: 'powersync',
  name: 'PowerSync',
  storage: 'indexeddb',
  vfs: WASQLiteVFS.IDBBatchAtomicVFS,
  ack: { strict: 'IndexedDB transaction complete, strict', relaxed: 'IndexedDB requests made, transaction (relaxed) not yet complete' },
  files: ['wa-sqlite-async-BxkwNY-2.js', 'IDBBatchAtomicVFS-DbkDb777.js', 'FacadeVFS-d1ZDvud7.js', 'assets/wa-sqlite-async-zc68fxQq.wasm'],
});
