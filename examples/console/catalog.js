// What the console reads and writes on its own account: the list of tables, and the history of statements, which is kept in the
// database itself and so is shared by all tabs. Called by main.js.

const KEPT = 200;

const TABLES = `
  SELECT t.name AS "table", t.type AS kind, c.name AS column, c.type, c.pk
  FROM pragma_table_list AS t JOIN pragma_table_xinfo(t.name) AS c
  WHERE t.schema = 'main' AND t.type IN ('table', 'view', 'virtual') AND t.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND c.hidden <> 1
  ORDER BY t.name, c.cid`;

export const quote = name => `"${name.replaceAll('"', '""')}"`;

/** The tables and views: [{name, kind, rows, columns: [{name, type, pk}]}]. */
export async function tables(db) {
  const found = new Map();
  for (const { table, kind, column, type, pk } of await db.all(TABLES)) {
    if (!found.has(table)) found.set(table, { name: table, kind, columns: [] });
    found.get(table).columns.push({ name: column, type, pk });
  }
  const list = [...found.values()];
  // One hop for all counts, and one snapshot.
  const counts = list.length === 0 ? [] : await db.batch(list.map(({ name }) => `SELECT count(*) AS n FROM ${quote(name)}`));
  return list.map((table, i) => ({ ...table, rows: counts[i].rows[0].n }));
}

/** Adds a statement to the history. The table is made in the same transaction, as an import may have replaced the whole database. */
export function remember(db, { sql, ms, error }) {
  return db.batch([
    'CREATE TABLE IF NOT EXISTS console_history (id INTEGER PRIMARY KEY, sql TEXT NOT NULL, ran_at TEXT NOT NULL, ms REAL NOT NULL, error TEXT)',
    ['DELETE FROM console_history WHERE sql = ?', [sql]],
    ['INSERT INTO console_history (sql, ran_at, ms, error) VALUES (?, ?, ?, ?)', [sql, new Date(), ms, error]],
    ['DELETE FROM console_history WHERE id <= (SELECT max(id) FROM console_history) - ?', [KEPT]],
  ], { durability: 'relaxed' }); // A history is not worth waiting for the disk.
}

export async function history(db) {
  const exists = await db.get(`SELECT 1 FROM sqlite_schema WHERE name = 'console_history'`);
  return exists ? db.all('SELECT sql, error FROM console_history ORDER BY id DESC LIMIT 30') : [];
}
