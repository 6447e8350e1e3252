import { sqliteWasmPeer } from './shared/sqlite-wasm-peer.js';

/** With a WAL, which exclusive locking allows; the pool has one connection anyway. */
export default sqliteWasmPeer({
  id: 'sqlite-wasm-opfs-sahpool-wal',
  name: 'sqlite-wasm opfs-sahpool, WAL',
  ack: { strict: 'OPFS WAL flushed', relaxed: 'OPFS WAL written, flushed at checkpoints' },
  isolated: false,
  tabs: false,
  worker: 'sqlite-wasm-opfs-sahpool.worker.js',
  options: { isWal: true },
});
