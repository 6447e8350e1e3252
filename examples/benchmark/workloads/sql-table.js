/**
 * The table that is measured, over an SQL store: the same statements for every SQL peer. Postgres and SQLite both take them. A peer's adapter
 * calls `sqlTable`; the workloads call what it answers. It never looks at results: the workloads assert them.
 */
const CREATE = `
  DROP TABLE IF EXISTS item;
  DROP TABLE IF EXISTS wide;
  CREATE TABLE item (id INTEGER PRIMARY KEY, body TEXT NOT NULL);
  CREATE TABLE wide (id INTEGER PRIMARY KEY, grp INTEGER, amount DOUBLE PRECISION, name TEXT, note TEXT);`;

const INSERT_ITEM = 'INSERT INTO item (id, body) VALUES (?, ?)';
const INSERT_WIDE = 'INSERT INTO wide (id, grp, amount, name, note) VALUES (?, ?, ?, ?, ?)';
/** It begins with SELECT: one peer takes whatever begins with WITH for a write. */
const COUNT_UP = 'SELECT count(*) AS n FROM (WITH RECURSIVE step (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM step WHERE n < ?) SELECT n FROM step) AS steps';

/**
 * @typedef {object} Store
 * @property {(sql: string) => Promise<unknown>} exec several statements
 * @property {(sql: string, params: unknown[]) => Promise<unknown>} run one write in a transaction of its own; resolves with the peer's documented ack
 * @property {(statements: [string, unknown[]][]) => Promise<unknown>} batch all of them in one transaction; resolves with the same ack
 * @property {(sql: string, params: unknown[]) => Promise<object[]>} all
 * @property {(callback: () => void) => unknown} [watch] the callback runs when another tab's commit is visible here
 * @property {() => Promise<unknown>} close
 */

/** @param {Store} store */
export function sqlTable(store) {
  const first = async (sql, params = []) => (await store.all(sql, params))[0];
  return {
    create: () => store.exec(CREATE),
    insertMany: (rows) => store.batch(rows.map(({ id, body }) => [INSERT_ITEM, [id, body]])),
    insert: ({ id, body }) => store.run(INSERT_ITEM, [id, body]),
    readAll: () => store.all('SELECT id, body FROM item ORDER BY id', []),
    updateHalf: (body) => store.run('UPDATE item SET body = ? WHERE id % 2 = 0', [body]),
    deleteQuarter: () => store.run('DELETE FROM item WHERE id % 4 = 0', []),
    get: (id) => first('SELECT id, body FROM item WHERE id = ?', [id]),
    count: async () => (await first('SELECT count(*) AS n FROM item')).n,
    insertWide: (rows) => store.batch(rows.map(({ id, grp, amount, name, note }) => [INSERT_WIDE, [id, grp, amount, name, note]])),
    aggregate: () => store.all('SELECT grp, count(*) AS n, sum(amount) AS total FROM wide GROUP BY grp ORDER BY grp', []),
    wideRows: (limit) => store.all('SELECT id, grp, amount, name, note FROM wide ORDER BY id LIMIT ?', [limit]),
    watch: store.watch && ((callback) => store.watch(callback)),
    slow: async (steps) => (await first(COUNT_UP, [steps])).n,
    close: () => store.close(),
  };
}
