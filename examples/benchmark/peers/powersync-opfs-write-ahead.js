import { WASQLiteVFS } from '@powersync/web';
import { powersyncPeer } from './shared/powersync-peer.js';

/** A worker for each tab that writes, one more that reads, and a WAL of the VFS's own. */
export default powersyncPeer({
  id: 'powersync-opfs-write-ahead',
  name: 'PowerSync OPFSWriteAhead',
  storage: 'opfs',
  vfs: WASQLiteVFS.OPFSWriteAheadVFS,
  ack: { strict: 'OPFS WAL flushed', relaxed: 'OPFS WAL written, flushed at checkpoints' },
  files: ['wa-sqlite-D1_4mGs8.js', 'OPFSWriteAheadVFS-D6_Zahcx.js', 'FacadeVFS-d1ZDvud7.js', 'assets/wa-sqlite-CIxTmRHQ.wasm'],
});
