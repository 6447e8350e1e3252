import { sqliteWasmPeer } from './shared/sqlite-wasm-peer.js';

/** As it comes, with a rollback journal. */
export default sqliteWasmPeer({
  id: 'sqlite-wasm-opfs-sahpool',
  name: 'sqlite-wasm opfs-sahpool',
  ack: { strict: 'OPFS file and journal flushed', relaxed: 'OPFS file and journal flushed, the journal once less' },
  isolated: false,
  tabs: false,
  worker: 'sqlite-wasm-opfs-sahpool.worker.js',
  options: { isWal: false },
});
