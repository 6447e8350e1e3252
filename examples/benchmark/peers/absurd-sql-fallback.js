import { absurdSqlPeer } from './shared/absurd-sql-peer.js';

export default absurdSqlPeer({
  id: 'absurd-sql-fallback',
  name: 'absurd-sql without SharedArrayBuffer',
  ack: { strict: null, relaxed: 'in memory; IndexedDB transaction not yet begun' },
  isolated: false,
  tabs: false,
});
