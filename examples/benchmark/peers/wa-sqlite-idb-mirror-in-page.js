/** IDBMirrorVFS in the page itself: no message to a worker for each call, but a long query stops the page. */
import factory from '@journeyapps/wa-sqlite/dist/wa-sqlite-jspi.mjs';
import wasm from '@journeyapps/wa-sqlite/dist/wa-sqlite-jspi.wasm';
import { IDBMirrorVFS } from '@journeyapps/wa-sqlite/src/examples/IDBMirrorVFS.js';
import { sqlTable } from '../workloads/sql-table.js';
import { grouped } from './shared/grouped.js';
import { inTurn } from './shared/in-turn.js';
import { objects } from './shared/remote-store.js';
import { openWaSqlite } from './shared/wa-sqlite.js';
import { waSqlitePeer } from './shared/wa-sqlite-peer.js';

const id = 'wa-sqlite-idb-mirror-in-page';

export default waSqlitePeer({
  id,
  name: 'wa-sqlite IDBMirror in the page',
  storage: 'indexeddb',
  ack: {
    strict: "IndexedDB transaction complete, at the browser's default durability: in Chromium not flushed",
    relaxed: 'IndexedDB requests made, transaction not yet complete',
  },
  tabs: true,
  download: [`dist/${id}.js`, 'node_modules/@journeyapps/wa-sqlite/dist/wa-sqlite-jspi.wasm'],
  async open(name, { durability }) {
    const store = await openWaSqlite({
      name: `${id}-${name}`,
      build: { factory, wasm },
      vfs: (module) => IDBMirrorVFS.create(`${id}-${name}`, module),
      pragmas: `PRAGMA synchronous = ${durability === 'strict' ? 'FULL' : 'NORMAL'}`,
    });
    return sqlTable(inTurn({
      ...store,
      batch: (statements) => store.batch(grouped(statements)),
      all: async (sql, params) => objects(await store.all(sql, params)),
    }));
  },
});
