import { serveStore } from './shared/serve-store.js';
import { loadSqliteWasm, sqliteWasmStore } from './shared/sqlite-wasm.js';

serveStore(async (name, { durability, isWal }) => {
  const sqlite3 = await loadSqliteWasm();
  const pool = await sqlite3.installOpfsSAHPoolVfs({ name, directory: name });
  const journal = isWal ? 'PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL;' : '';
  return sqliteWasmStore(new pool.OpfsSAHPoolDb(`/${name}`), `${journal} PRAGMA synchronous = ${durability === 'strict' ? 'FULL' : 'NORMAL'}`);
});
