/**
 * One store over wa-sqlite, whatever the VFS: statements are prepared once and kept. Runs in the worker of a wa-sqlite peer, or in the page.
 */
import * as SQLite from '@journeyapps/wa-sqlite';
import { whileBusy } from './busy.js';
import { CACHE_PRAGMA } from './cache.js';

/** `build`: `{ factory, wasm }`, an Emscripten module and where its wasm lies. `vfs(module)`: makes the VFS. `pragmas`: run before anything reads the file. */
export async function openWaSqlite({ build, vfs, name, pragmas }) {
  const module = await build.factory({ locateFile: () => new URL(build.wasm, import.meta.url).href });
  const sqlite3 = SQLite.Factory(module);
  sqlite3.vfs_register(await vfs(module), true);
  const db = await sqlite3.open_v2(name);
  const exec = (sql) => sqlite3.exec(db, sql);
  await exec(`${pragmas}; ${CACHE_PRAGMA}`);

  const prepared = new Map();
  async function statement(sql) {
    if (!prepared.has(sql)) prepared.set(sql, await prepare(sql));
    return prepared.get(sql);
  }
  async function prepare(sql) {
    for await (const statement of sqlite3.statements(db, sql, { unscoped: true })) return statement;
  }
  async function step(statement, params, onRow) {
    sqlite3.bind_collection(statement, params);
    try {
      while ((await sqlite3.step(statement)) === SQLite.SQLITE_ROW) onRow?.();
    } finally {
      await sqlite3.reset(statement);
    }
  }
  async function stepAll(statement, rows) {
    try {
      for (const params of rows) {
        sqlite3.bind_collection(statement, params);
        await sqlite3.step(statement);
        await sqlite3.reset(statement);
      }
    } finally {
      await sqlite3.reset(statement).catch(() => {});
    }
  }

  return {
    exec: (sql) => whileBusy(() => exec(sql)),
    async run(sql, params) {
      const write = await statement(sql);
      await whileBusy(() => step(write, params));
    },
    async batch(groups) {
      const begin = await statement('BEGIN IMMEDIATE');
      await whileBusy(() => step(begin, []));
      try {
        for (const [sql, rows] of groups) await stepAll(await statement(sql), rows);
        await step(await statement('COMMIT'), []);
      } catch (error) {
        await exec('ROLLBACK');
        throw error;
      }
    },
    async all(sql, params) {
      const query = await statement(sql);
      const rows = [];
      await step(query, params, () => rows.push(sqlite3.row(query)));
      return { columns: sqlite3.column_names(query), rows };
    },
    async close() {
      for (const statement of prepared.values()) await sqlite3.finalize(statement);
      await sqlite3.close(db);
    },
  };
}
