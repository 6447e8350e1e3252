// The content of a database as comparable text, from any engine: one digest per table and the schema. It compares what is
// stored, never how it is stored. The caller gives the way to ask (`rows(sql)` → objects).
import { createHash } from 'node:crypto';

const OBJECTS = "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY type, name";

/** A table that has no rows of its own (a view's or a virtual table's rows stand in others). */
const isStored = ({ type, sql }) => type === 'table' && !sql.startsWith('CREATE VIRTUAL');

/** `{ schema, tables: { name: 'rows:digest' } }`; `only` keeps the named tables. */
export async function contentOf(rows, only) {
  const objects = await rows(OBJECTS);
  const tables = {};
  for (const { name } of objects.filter(isStored)) {
    if (!only || only.includes(name)) tables[name] = await digestOf(rows, name);
  }
  return { schema: only ? undefined : objects, tables };
}

async function digestOf(rows, table) {
  const columns = await rows(`SELECT name FROM pragma_table_info('${table}') ORDER BY cid`);
  const line = columns.map(({ name }) => `quote("${name}")`).join(" || '|' || ");
  const lines = await rows(`SELECT ${line} AS line FROM "${table}" ORDER BY 1`);
  const hash = createHash('sha256');
  for (const row of lines) hash.update(`${row.line}\n`);
  return `${lines.length}:${hash.digest('hex')}`;
}
