import wasm from '@journeyapps/wa-sqlite/dist/wa-sqlite-jspi.wasm';
import factory from '@journeyapps/wa-sqlite/dist/wa-sqlite-jspi.mjs';
import { IDBBatchAtomicVFS } from '@journeyapps/wa-sqlite/src/examples/IDBBatchAtomicVFS.js';
import { serveStore } from './shared/serve-store.js';
import { openWaSqlite } from './shared/wa-sqlite.js';

/** As the VFS documents: `synchronous` is its switch between strict and relaxed, and the cache is large enough for the journal. */
serveStore((name, { durability }) => openWaSqlite({
  name,
  build: { factory, wasm },
  vfs: (module) => IDBBatchAtomicVFS.create(name, module),
  pragmas: `PRAGMA synchronous = ${durability === 'strict' ? 'FULL' : 'NORMAL'}`,
}));
