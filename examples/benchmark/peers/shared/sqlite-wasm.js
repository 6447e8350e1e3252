/**
 * One store over a database of the official sqlite-wasm (its "OO API 1"): statements are prepared once and kept. Runs in the worker of each of its peers.
 */
import sqlite3InitModule from '@sqlite.org/sqlite-wasm';
import wasm from '@sqlite.org/sqlite-wasm/sqlite3.wasm';
import { CACHE_PRAGMA } from './cache.js';

export function loadSqliteWasm() {
  return sqlite3InitModule({ locateFile: () => new URL(wasm, import.meta.url).href });
}

/** `pragmas`: run before anything reads the file. */
export function sqliteWasmStore(db, pragmas) {
  db.exec(`${pragmas}; ${CACHE_PRAGMA}`);
  const prepared = new Map();
  function statement(sql) {
    if (!prepared.has(sql)) prepared.set(sql, db.prepare(sql));
    return prepared.get(sql);
  }
  function run(sql, params) {
    const write = statement(sql);
    // It throws on an empty list where the statement has no parameter.
    if (params.length > 0) write.bind(params);
    try {
      write.step();
    } finally {
      write.reset();
    }
  }

  return {
    exec: (sql) => void db.exec(sql),
    run,
    batch(groups) {
      db.transaction('IMMEDIATE', () => {
        for (const [sql, rows] of groups) for (const params of rows) run(sql, params);
      });
    },
    all(sql, params) {
      const query = statement(sql);
      if (params.length > 0) query.bind(params);
      try {
        const rows = [];
        while (query.step()) rows.push(query.get([]));
        return { columns: query.getColumnNames(), rows };
      } finally {
        query.reset();
      }
    },
    close() {
      for (const statement of prepared.values()) statement.finalize();
      db.close();
    },
  };
}
