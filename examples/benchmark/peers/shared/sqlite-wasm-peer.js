/** What the sqlite-wasm peers have in common in the page: the engine in a dedicated worker, where alone OPFS can be had synchronously. */
import { sqlTable } from '../../workloads/sql-table.js';
import { remoteStore } from './remote-store.js';

/** `worker`: its file; `options` go to it with the durability. */
export function sqliteWasmPeer({ id, worker, options, download = [], ...rest }) {
  return {
    id,
    package: '@sqlite.org/sqlite-wasm',
    engine: 'sqlite',
    storage: 'opfs',
    download: [`dist/${id}.js`, `dist/${worker}`, 'node_modules/@sqlite.org/sqlite-wasm/dist/sqlite3.wasm', ...download],
    // Names of its own: files and folders of one origin must not meet.
    open: async (name, { durability }) => sqlTable(await remoteStore(new URL(`./${worker}`, import.meta.url), `${id}-${name}`, { durability, ...options })),
    ...rest,
  };
}
