/** absurder-sql's recommended backend for workers: blocks in OPFS, metadata in IndexedDB. A worker there cannot elect a leader, so one tab alone. */
import { sqlTable } from '../workloads/sql-table.js';
import { remoteStore } from './shared/remote-store.js';

const id = 'absurder-sql-hybrid';

export default {
  id,
  name: 'absurder-sql hybrid',
  package: '@npiesco/absurder-sql',
  engine: 'sqlite',
  storage: 'opfs',
  ack: { strict: 'sync(): OPFS blocks and IndexedDB metadata written', relaxed: 'in memory until sync()' },
  isolated: false,
  tabs: false,
  download: [`dist/${id}.js`, `dist/${id}.worker.js`, 'node_modules/@npiesco/absurder-sql/pkg/absurder_sql_bg.wasm'],
  open: async (name, { durability }) => sqlTable(await remoteStore(new URL(`./${id}.worker.js`, import.meta.url), `${id}-${name}`, { durability })),
};
