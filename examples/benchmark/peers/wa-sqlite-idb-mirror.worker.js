import wasm from '@journeyapps/wa-sqlite/dist/wa-sqlite-jspi.wasm';
import factory from '@journeyapps/wa-sqlite/dist/wa-sqlite-jspi.mjs';
import { IDBMirrorVFS } from '@journeyapps/wa-sqlite/src/examples/IDBMirrorVFS.js';
import { serveStore } from './shared/serve-store.js';
import { openWaSqlite } from './shared/wa-sqlite.js';

/** As the VFS documents: with `synchronous = NORMAL` a commit does not wait for IndexedDB. */
serveStore((name, { durability }) => openWaSqlite({
  name,
  build: { factory, wasm },
  vfs: (module) => IDBMirrorVFS.create(name, module),
  pragmas: `PRAGMA synchronous = ${durability === 'strict' ? 'FULL' : 'NORMAL'}`,
}));
