import wasm from '@journeyapps/wa-sqlite/dist/wa-sqlite.wasm';
import factory from '@journeyapps/wa-sqlite/dist/wa-sqlite.mjs';
import { OPFSWriteAheadVFS } from '@journeyapps/wa-sqlite/src/examples/OPFSWriteAheadVFS.js';
import { serveStore } from './shared/serve-store.js';
import { openWaSqlite } from './shared/wa-sqlite.js';

/** As the VFS documents: it keeps a WAL of its own, and `synchronous` is its switch between strict and relaxed. */
serveStore((name, { durability }) => openWaSqlite({
  name,
  build: { factory, wasm },
  vfs: (module) => OPFSWriteAheadVFS.create(name, module),
  pragmas: `PRAGMA synchronous = ${durability === 'strict' ? 'FULL' : 'NORMAL'}`,
}));
