import wasm from '@journeyapps/wa-sqlite/dist/wa-sqlite.wasm';
import factory from '@journeyapps/wa-sqlite/dist/wa-sqlite.mjs';
import { AccessHandlePoolVFS } from '@journeyapps/wa-sqlite/src/examples/AccessHandlePoolVFS.js';
import { serveStore } from './shared/serve-store.js';
import { openWaSqlite } from './shared/wa-sqlite.js';

/** The synchronous build with a WAL, which exclusive locking allows here: both as the VFS documents. */
serveStore((name, { durability }) => openWaSqlite({
  name,
  build: { factory, wasm },
  vfs: (module) => AccessHandlePoolVFS.create(name, module),
  pragmas: `PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = ${durability === 'strict' ? 'FULL' : 'NORMAL'}`,
}));
