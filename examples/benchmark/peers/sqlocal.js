/** sqlocal over sqlite-wasm's `opfs` VFS, as it comes. It prepares a batch's statements once; it has no prepared statements for others. */
import { SQLocal } from 'sqlocal';
import { sqlTable } from '../workloads/sql-table.js';
import { CACHE_PRAGMA } from './shared/cache.js';

const id = 'sqlocal';
/** A batch of 100,000 statements fails ("Maximum call stack size exceeded"); a transaction takes several batches. */
const BATCH_MAX = 10_000;
const SYNCHRONOUS = { strict: 'PRAGMA synchronous = FULL', relaxed: 'PRAGMA synchronous = NORMAL' };

export default {
  id,
  name: 'sqlocal',
  package: 'sqlocal',
  engine: 'sqlite',
  storage: 'opfs',
  ack: { strict: 'OPFS file and journal flushed', relaxed: 'OPFS file and journal flushed, the journal once less' },
  isolated: true,
  tabs: true,
  download: [`dist/${id}.js`, `dist/${id}.worker.js`, 'node_modules/sqlocal/node_modules/@sqlite.org/sqlite-wasm/dist/sqlite3.wasm', 'node_modules/sqlocal/node_modules/@sqlite.org/sqlite-wasm/dist/sqlite3-opfs-async-proxy.js'],
  /** `watch`: whether the tables will be watched, which each tab that writes them has to know. */
  async open(name, { durability, watch = false }) {
    const client = new SQLocal({
      databasePath: `${id}-${name}`,
      reactive: watch,
      processor: new Worker(new URL(`./${id}.worker.js`, import.meta.url), { type: 'module' }),
      onInit: (sql) => [sql(SYNCHRONOUS[durability]), sql(CACHE_PRAGMA)],
    });
    // An open that fails says so here.
    await client.getDatabaseInfo();
    const all = (sql, params = []) => client.sql(sql, ...params);
    return sqlTable({
      exec: all,
      run: all,
      batch: (statements) => batch(client, statements.map(([sql, params]) => ({ sql, params }))),
      all,
      watch: watch ? (callback) => client.reactiveQuery((sql) => sql('SELECT max(id) FROM item')).subscribe(callback) : undefined,
      close: () => client.destroy(),
    });
  },
};

function batch(client, statements) {
  if (statements.length <= BATCH_MAX) return client.batch(() => statements);
  return client.transaction(async (transaction) => {
    for (let at = 0; at < statements.length; at += BATCH_MAX) await transaction.batch(() => statements.slice(at, at + BATCH_MAX));
  });
}
