import { waSqlitePeer } from './shared/wa-sqlite-peer.js';

export default waSqlitePeer({
  id: 'wa-sqlite-opfs-coop-sync',
  name: 'wa-sqlite OPFSCoopSync',
  storage: 'opfs',
  ack: {
    strict: 'OPFS file and journal flushed',
    relaxed: 'OPFS file and journal flushed, the journal once less',
  },
  tabs: true,
  wasm: 'wa-sqlite.wasm',
});
