/** What the PGlite peers have in common: COPY for many rows, which its documents name for bulk loading, and no prepared statements, which it has not. */
import { sqlTable } from '../../workloads/sql-table.js';

const PACKAGE = 'node_modules/@electric-sql/pglite/dist';

/** `scheme`: which of PGlite's file systems. `connect({ dataDir, relaxedDurability })` → `{ pg, flush }`; `worker`: the file of a worker. */
export function pglitePeer({ id, scheme, connect, worker, ...rest }) {
  return {
    id,
    package: '@electric-sql/pglite',
    engine: 'postgres',
    isolated: false,
    download: [`dist/${id}.js`, ...(worker ? [`dist/${worker}`] : []), `${PACKAGE}/pglite.wasm`, `${PACKAGE}/pglite.data`, `${PACKAGE}/initdb.wasm`],
    open: async (name, { durability }) => sqlTable(store(await connect({ dataDir: `${scheme}://${id}-${name}`, relaxedDurability: durability === 'relaxed' }))),
    ...rest,
  };
}

function store({ pg, flush }) {
  const all = async (sql, params) => (await pg.query(numbered(sql), params)).rows;
  return {
    exec: (sql) => pg.exec(sql),
    run: all,
    batch: (statements) => copy(pg, statements),
    all,
    watch: (callback) => pg.live.query('SELECT max(id) FROM item', [], callback),
    async close() {
      await flush();
      await pg.close();
    },
  };
}

/** Postgres numbers its parameters. */
function numbered(sql) {
  let last = 0;
  return sql.replaceAll('?', () => `$${++last}`);
}

/** One statement repeated: one COPY, which is a transaction of its own. */
async function copy(pg, statements) {
  const [insert] = statements[0];
  const [, table] = /^INSERT INTO (\w+ \([\w, ]+\)) VALUES/.exec(insert) ?? [];
  if (!table || statements.some(([sql]) => sql !== insert)) throw new Error(`only one INSERT, repeated, can be copied: ${insert}`);
  const lines = statements.map(([, params]) => params.map(field).join(','));
  await pg.query(`COPY ${table} FROM '/dev/blob' WITH (FORMAT csv)`, [], { blob: new Blob([lines.join('\n')]) });
}

/** An empty field is NULL, a quoted one is text. */
function field(value) {
  if (value === null) return '';
  return typeof value === 'string' ? `"${value.replaceAll('"', '""')}"` : String(value);
}
