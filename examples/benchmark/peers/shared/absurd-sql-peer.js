/** absurd-sql's two modes have one worker; whether the page is isolated decides which it is. */
import { initBackend } from 'absurd-sql/dist/indexeddb-main-thread.js';
import { sqlTable } from '../../workloads/sql-table.js';
import { remoteStore } from './remote-store.js';

export function absurdSqlPeer({ id, ...rest }) {
  return {
    id,
    package: 'absurd-sql',
    engine: 'sqlite',
    storage: 'indexeddb',
    download: [`dist/${id}.js`, 'dist/absurd-sql.worker.js', 'node_modules/@jlongster/sql.js/dist/sql-wasm.wasm'],
    open: async (name) => sqlTable(await remoteStore(new URL('./absurd-sql.worker.js', import.meta.url), `${id}-${name}`, {}, initBackend)),
    ...rest,
  };
}
