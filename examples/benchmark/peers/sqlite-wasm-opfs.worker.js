import { serveStore } from './shared/serve-store.js';
import { loadSqliteWasm, sqliteWasmStore } from './shared/sqlite-wasm.js';

serveStore(async (name, { durability }) => {
  const sqlite3 = await loadSqliteWasm();
  return sqliteWasmStore(new sqlite3.oo1.OpfsDb(name), `PRAGMA synchronous = ${durability === 'strict' ? 'FULL' : 'NORMAL'}`);
});
