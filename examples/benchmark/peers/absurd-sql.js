import { absurdSqlPeer } from './shared/absurd-sql-peer.js';

export default absurdSqlPeer({
  id: 'absurd-sql',
  name: 'absurd-sql',
  ack: { strict: null, relaxed: 'IndexedDB transaction told to commit, not yet complete' },
  isolated: true,
  tabs: true,
});
