/** absurd-sql as its README sets it up, with its page size of 8192: in an isolated page over SharedArrayBuffer, else in its fallback mode. */
import initSqlJs from '@jlongster/sql.js';
import wasm from '@jlongster/sql.js/dist/sql-wasm.wasm';
import { SQLiteFS } from 'absurd-sql';
import IndexedDBBackend from 'absurd-sql/dist/indexeddb-backend.js';
import { CACHE_PRAGMA } from './shared/cache.js';
import { serveStore } from './shared/serve-store.js';
import { sqlJsStore } from './shared/sql-js.js';

serveStore(async (name) => {
  const SQL = await initSqlJs({ locateFile: () => new URL(wasm, import.meta.url).href });
  let failure;
  const files = new SQLiteFS(SQL.FS, new IndexedDBBackend(() => (failure = new Error('absurd-sql gave up writing: the stored first block was not the expected one'))));
  SQL.register_for_idb(files);
  SQL.FS.mkdir('/sql');
  SQL.FS.mount(files, {}, '/sql');
  const path = `/sql/${name}`;
  const isFallback = typeof SharedArrayBuffer === 'undefined';
  if (isFallback) {
    const stream = SQL.FS.open(path, 'a+');
    await stream.node.contents.readIfFallback();
    SQL.FS.close(stream);
  }
  const store = sqlJsStore(new SQL.Database(path, { filename: true }), `PRAGMA page_size = 8192; PRAGMA journal_mode = MEMORY; ${CACHE_PRAGMA}`);
  return isFallback ? { ...store, close: () => closeFallback(store, name, () => failure) } : store;
});

/** The fallback mode has no way to wait for its writes. A read of ours does, as IndexedDB lets nothing overtake them. `failed()`: why they came to nothing. */
async function closeFallback(store, name, failed) {
  const request = indexedDB.open(name);
  await new Promise((resolve, reject) => Object.assign(request, { onsuccess: resolve, onerror: () => reject(request.error) }));
  const reading = request.result.transaction('data').objectStore('data').count(-1);
  await new Promise((resolve, reject) => Object.assign(reading, { onsuccess: resolve, onerror: () => reject(reading.error) }));
  request.result.close();
  store.close();
  if (failed()) throw failed();
}
