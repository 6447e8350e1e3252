import { sqliteWasmPeer } from './shared/sqlite-wasm-peer.js';

/** The VFS that its README begins with. */
export default sqliteWasmPeer({
  id: 'sqlite-wasm-opfs',
  name: 'sqlite-wasm opfs',
  ack: { strict: 'OPFS file and journal flushed', relaxed: 'OPFS file and journal flushed, the journal once less' },
  isolated: true,
  tabs: true,
  worker: 'sqlite-wasm-opfs.worker.js',
  download: ['node_modules/@sqlite.org/sqlite-wasm/dist/sqlite3-opfs-async-proxy.js'],
});
