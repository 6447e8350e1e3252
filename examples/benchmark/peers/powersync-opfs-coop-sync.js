import { WASQLiteVFS } from '@powersync/web';
import { powersyncPeer } from './shared/powersync-peer.js';

/** A worker for each tab, and the file handle handed from one to the other. */
export default powersyncPeer({
  id: 'powersync-opfs-coop-sync',
  name: 'PowerSync OPFSCoopSync',
  storage: 'opfs',
  vfs: WASQLiteVFS.OPFSCoopSyncVFS,
  ack: { strict: 'OPFS file and journal flushed', relaxed: 'OPFS file and journal flushed, the journal once less' },
  files: ['wa-sqlite-D1_4mGs8.js', 'OPFSCoopSyncVFS-BgTiWPfa.js', 'FacadeVFS-d1ZDvud7.js', 'assets/wa-sqlite-CIxTmRHQ.wasm'],
});
