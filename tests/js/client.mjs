/**
 * The client's TypeScript as a module for these tests: bundled by esbuild into a folder of the system's temp directory, because
 * Node 20 reads no TypeScript. Internals that have tests of their own are exported beside the entry.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';

export const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const MODULES = ['open', 'found', 'difference', 'bundle', 'codec', 'errors', 'values', 'version', 'protocol', 'browser', 'ownership', 'election', 'stored', 'transport/packets', 'transport/messages', 'transport/channel', 'transport/switchboard'];

const folder = mkdtempSync(join(tmpdir(), 'tabhub-js-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
const outfile = join(folder, 'client.mjs');
await build({
  stdin: { contents: MODULES.map(name => `export * from './hub-js/${name}.js';`).join('\n'), resolveDir: ROOT, loader: 'ts' },
  bundle: true, format: 'esm', target: 'es2022', sourcemap: 'inline', logLevel: 'warning', outfile,
});

export const { find, forget, difference, Bundler, FRAME_BYTES_MAX, unbundle, openDatabase, encodeRequest, decodeResponse, ValueBlock, BlockReader, rawPart, HubError, checkParams, BUILD, FORMAT, PROTOCOL_VERSION, workerName, deleteDatabase, inspectDatabase, browserEnvironment, Ownership, Election, deleteStorage, ABOUT, Packer, Unpacker, readMessage, connectOverChannel, channelOf, Switchboard } =
  await import(pathToFileURL(outfile).href);
