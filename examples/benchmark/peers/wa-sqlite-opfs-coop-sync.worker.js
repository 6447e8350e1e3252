import wasm from '@journeyapps/wa-sqlite/dist/wa-sqlite.wasm';
import factory from '@journeyapps/wa-sqlite/dist/wa-sqlite.mjs';
import { OPFSCoopSyncVFS } from '@journeyapps/wa-sqlite/src/examples/OPFSCoopSyncVFS.js';
import { serveStore } from './shared/serve-store.js';
import { openWaSqlite } from './shared/wa-sqlite.js';

/** The synchronous build, which this VFS is made for. */
serveStore((name, { durability }) => openWaSqlite({
  name,
  build: { factory, wasm },
  vfs: (module) => OPFSCoopSyncVFS.create(name, module),
  pragmas: `PRAGMA synchronous = ${durability === 'strict' ? 'FULL' : 'NORMAL'}`,
}));
