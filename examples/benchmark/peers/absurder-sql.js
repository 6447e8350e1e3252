/**
 * absurder-sql over IndexedDB in the page, as its README begins. With several tabs the leader writes and the others queue their writes to it; a tab
 * reads from memory of its own, which it loads again when told of a change.
 */
import { sqlTable } from '../workloads/sql-table.js';
import { openAbsurderSql } from './shared/absurder-sql.js';
import { grouped } from './shared/grouped.js';
import { inTurn } from './shared/in-turn.js';
import { objects } from './shared/remote-store.js';

const id = 'absurder-sql';

export default {
  id,
  name: 'absurder-sql',
  package: '@npiesco/absurder-sql',
  engine: 'sqlite',
  storage: 'indexeddb',
  ack: { strict: "sync(): IndexedDB transaction complete, at the browser's default durability: in Chromium not flushed", relaxed: 'in memory until sync()' },
  isolated: false,
  tabs: true,
  download: [`dist/${id}.js`, 'node_modules/@npiesco/absurder-sql/pkg/absurder_sql_bg.wasm'],
  async open(name, { durability }) {
    const store = await openAbsurderSql({ durability, open: (Database) => Database.newDatabase(`${id}-${name}`) });
    const { db } = store;
    let isStale = false;
    db.onDataChange(() => (isStale = true));
    const isLeader = await db.isLeader();
    return sqlTable(inTurn({
      ...store,
      run: (sql, params) => (isLeader ? store.run(sql, params) : db.queueWrite(literal(sql, params))),
      batch: (statements) => store.batch(grouped(statements)),
      async all(sql, params) {
        if (isStale && !isLeader) await db.reloadFromIndexedDB();
        isStale = false;
        return objects(await store.all(sql, params));
      },
    }));
  },
};

/** A queued write takes no parameters. */
function literal(sql, params) {
  let at = 0;
  return sql.replaceAll('?', () => quoted(params[at++]));
}

function quoted(value) {
  if (value === null) return 'NULL';
  return typeof value === 'string' ? `'${value.replaceAll("'", "''")}'` : String(value);
}
