/** What the wa-sqlite peers have in common in the page: the engine in a dedicated worker, as in the package's own demo and benchmarks. */
import { sqlTable } from '../../workloads/sql-table.js';
import { remoteStore } from './remote-store.js';

/** `wasm`: the file name of the build that the worker loads. */
export function waSqlitePeer({ id, wasm, ...rest }) {
  return {
    id,
    package: '@journeyapps/wa-sqlite',
    engine: 'sqlite',
    isolated: false,
    download: [`dist/${id}.js`, `dist/${id}.worker.js`, `node_modules/@journeyapps/wa-sqlite/dist/${wasm}`],
    // Each VFS has names of its own: IndexedDB databases, files and folders of one origin must not meet.
    open: async (name, { durability }) => sqlTable(await remoteStore(new URL(`./${id}.worker.js`, import.meta.url), `${id}-${name}`, { durability })),
    ...rest,
  };
}
