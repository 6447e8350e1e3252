// What the console reads and writes on its own account: the schema, and the history of statements, which is kept in the database itself and so is
// shared by all tabs. Called by schema.js and main.js.
import { quote } from './statements.js';

const KEPT = 200;
const COUNTING_MS = 2000;

// A view that is broken would make this statement fail, so views are asked one by one.
const COLUMNS = `
  SELECT t.name AS "table", t.type AS kind, c.name, c.type, c.pk
  FROM pragma_table_list AS t JOIN pragma_table_xinfo(t.name) AS c
  WHERE t.schema = 'main' AND t.type IN ('table', 'virtual') AND t.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND c.hidden <> 1
  ORDER BY t.name, c.cid`;
const OBJECTS = 'SELECT type, name, tbl_name AS "table", sql FROM sqlite_schema ORDER BY name';

/** Tables, virtual tables and views: [{ name, kind, sql, columns: [{ name, type, pk }], parts: its indexes and triggers, error? }]. */
export async function schema(db) {
  const [columns, objects] = await Promise.all([db.all(COLUMNS), db.all(OBJECTS)]);
  const found = new Map();
  for (const { table, kind, name, type, pk } of columns) {
    if (!found.has(table)) found.set(table, { name: table, kind, columns: [] });
    found.get(table).columns.push({ name, type, pk });
  }
  await Promise.all(objects.filter(({ type }) => type === 'view').map(async ({ name }) => found.set(name, await view(db, name))));
  return [...found.values()].map(table => ({
    ...table,
    sql: objects.find(({ type, name }) => name === table.name && (type === 'table' || type === 'view'))?.sql,
    parts: objects.filter(object => object.table === table.name && (object.type === 'index' || object.type === 'trigger')),
  }));
}

async function view(db, name) {
  try {
    return { name, kind: 'view', columns: await db.all('SELECT name, type, pk FROM pragma_table_xinfo(?)', [name]) };
  } catch (error) {
    return { name, kind: 'view', columns: [], error };
  }
}

/** The functions that can be called, as the hub's SQLite has them. */
export async function functions(db) {
  return (await db.all("SELECT DISTINCT name FROM pragma_function_list WHERE name GLOB '[a-z]*' ORDER BY name")).map(({ name }) => name);
}

/** How many rows a table has; undefined where counting takes too long. */
export async function rowCount(db, name) {
  try {
    return (await db.get(`SELECT count(*) AS n FROM ${quote(name)}`, [], { timeout: COUNTING_MS })).n;
  } catch (error) {
    if (error.code === 'HUB_TIMEOUT') return undefined;
    throw error;
  }
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
