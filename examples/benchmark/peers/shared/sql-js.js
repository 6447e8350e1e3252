/** One store over a database of sql.js: statements are prepared once and kept. Runs in the worker of the absurd-sql peers. */
import { whileBusy } from './busy.js';

export function sqlJsStore(db, pragmas) {
  db.exec(pragmas);
  const prepared = new Map();
  function statement(sql) {
    if (!prepared.has(sql)) prepared.set(sql, db.prepare(sql));
    return prepared.get(sql);
  }
  function run(sql, params) {
    const write = statement(sql);
    try {
      write.run(params);
    } finally {
      write.reset();
    }
  }

  return {
    exec: (sql) => whileBusy(() => void db.exec(sql)),
    run: (sql, params) => whileBusy(() => run(sql, params)),
    async batch(groups) {
      await whileBusy(() => run('BEGIN IMMEDIATE', []));
      try {
        for (const [sql, rows] of groups) for (const params of rows) run(sql, params);
        run('COMMIT', []);
      } catch (error) {
        db.exec('ROLLBACK');
        throw error;
      }
    },
    all(sql, params) {
      const query = statement(sql);
      query.bind(params);
      try {
        const rows = [];
        while (query.step()) rows.push(query.get());
        return { columns: query.getColumnNames(), rows };
      } finally {
        query.reset();
      }
    },
    close() {
      for (const statement of prepared.values()) statement.free();
      db.close();
    },
  };
}
