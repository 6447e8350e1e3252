import { waSqlitePeer } from './shared/wa-sqlite-peer.js';

export default waSqlitePeer({
  id: 'wa-sqlite-opfs-write-ahead',
  name: 'wa-sqlite OPFSWriteAhead',
  storage: 'opfs',
  ack: {
    strict: 'OPFS WAL flushed',
    relaxed: 'OPFS WAL written, flushed at checkpoints',
  },
  tabs: true,
  wasm: 'wa-sqlite.wasm',
});
