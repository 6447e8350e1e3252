/**
 * One store over a database of absurder-sql, in the page or in a worker. It has no prepared statements there; many rows go into one transaction,
 * as its README has it. Strict, each write is followed by sync(), without which it is in memory alone.
 */
import init, { Database } from '@npiesco/absurder-sql';

/** `open(Database)`: makes the database. It logs several lines a page read, which would cost it most of its time while a debugger listens. */
export async function openAbsurderSql({ durability, open }) {
  for (const level of ['log', 'info', 'debug']) console[level] = () => {};
  await init();
  const db = await open(Database);
  const acknowledge = async () => durability === 'strict' && db.sync();
  const run = (sql, params) => (params.length > 0 ? db.executeWithParams(sql, params.map(typed)) : db.execute(sql));
  return {
    async exec(sql) {
      // It runs the first of several statements, and says nothing of the others.
      for (const statement of sql.split(';')) if (statement.trim()) await run(statement, []);
      await acknowledge();
    },
    async run(sql, params) {
      await run(sql, params);
      await acknowledge();
    },
    async batch(groups) {
      await run('BEGIN TRANSACTION', []);
      try {
        for (const [sql, rows] of groups) for (const params of rows) await run(sql, params);
        await run('COMMIT', []);
      } catch (error) {
        await run('ROLLBACK', []);
        throw error;
      }
      await acknowledge();
    },
    async all(sql, params) {
      const { columns, rows } = await run(sql, params);
      return { columns, rows: rows.map(({ values }) => values.map(({ value = null }) => value)) };
    },
    async close() {
      await db.sync();
      await db.close();
    },
    db,
  };
}

function typed(value) {
  if (value === null) return { type: 'Null' };
  if (typeof value === 'string') return { type: 'Text', value };
  return { type: Number.isInteger(value) ? 'Integer' : 'Real', value };
}
