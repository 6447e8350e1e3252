/**
 * What the PowerSync peers have in common: local tables made by execute(), which are SQLite's own ("raw tables"); those of a PowerSync schema are
 * views over JSON, and slower. Its prebuilt worker is served as it is.
 */
import { PowerSyncDatabase, Schema } from '@powersync/web';
import { sqlTable } from '../../workloads/sql-table.js';
import { CACHE_KIB } from './cache.js';
import { grouped } from './grouped.js';

const WORKER = 'node_modules/@powersync/web/dist/worker';
const STATEMENTS = 50;

/** `vfs`: one of WASQLiteVFS. `files`: what the worker loads for it. */
export function powersyncPeer({ id, vfs, files, ...rest }) {
  return {
    id,
    package: '@powersync/web',
    engine: 'sqlite',
    isolated: false,
    tabs: true,
    download: [`dist/${id}.js`, ...['worker.js', ...files].map((file) => `${WORKER}/${file}`)],
    async open(name, { durability }) {
      const worker = new URL(`./${WORKER}/worker.js`, import.meta.url).href;
      const database = { dbFilename: `${id}-${name}`, vfs, worker, cacheSizeKb: CACHE_KIB, preparedStatementsCache: STATEMENTS };
      const db = new PowerSyncDatabase({ schema: new Schema({}), database });
      await db.init();
      await db.execute(`PRAGMA synchronous = ${durability === 'strict' ? 'FULL' : 'NORMAL'}`);
      return sqlTable(store(db));
    },
    ...rest,
  };
}

function store(db) {
  return {
    exec: (sql) => db.execute(sql),
    run: (sql, params) => db.execute(sql, params),
    batch: (statements) => db.writeTransaction(async (transaction) => {
      for (const [sql, rows] of grouped(statements)) await transaction.executeBatch(sql, rows);
    }),
    all: (sql, params) => db.getAll(sql, params),
    watch: (callback) => db.onChange({ onChange: callback }, { tables: ['item'], throttleMs: 0 }),
    close: () => db.close(),
  };
}
