import { waSqlitePeer } from './shared/wa-sqlite-peer.js';

export default waSqlitePeer({
  id: 'wa-sqlite-access-handle-pool',
  name: 'wa-sqlite AccessHandlePool',
  storage: 'opfs',
  ack: {
    strict: 'OPFS WAL flushed',
    relaxed: 'OPFS WAL written, flushed at checkpoints',
  },
  tabs: false,
  wasm: 'wa-sqlite.wasm',
});
