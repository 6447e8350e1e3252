/**
 * Bundles the peers of `npm run bench` into examples/benchmark/dist/: an adapter each, its workers, and the wasm and data that they fetch, which
 * lie beside them. The runner and check-peers.mjs call it; the packages must be installed before.
 */
import { cpSync, existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { BuildError, ROOT } from '../tools.mjs';
import { assets, nodeModules } from './assets.mjs';

export const BENCH = join(ROOT, 'examples', 'benchmark');
export const BENCH_DIST = join(BENCH, 'dist');
const PEERS = join(BENCH, 'peers');
/** Folders that a package has bundled itself and documents to be served as they are. */
const SERVED = ['node_modules/@powersync/web/dist/worker'];

/** An adapter's file is named after its peer; `*.worker.js` are its workers. */
export function peerIds() {
  return scripts().filter((file) => !file.includes('.worker.')).map((file) => file.slice(0, -'.js'.length)).sort();
}

function scripts() {
  return readdirSync(PEERS).filter((file) => file.endsWith('.js'));
}

export async function bundlePeers() {
  if (!existsSync(join(BENCH, 'node_modules'))) throw new BuildError('the peers are not installed: run `npm ci --prefix examples/benchmark`');
  console.log('→ esbuild (peers)');
  rmSync(BENCH_DIST, { recursive: true, force: true });
  await build({
    absWorkingDir: BENCH,
    entryPoints: scripts().map((file) => join(PEERS, file)),
    outbase: BENCH,
    outdir: BENCH_DIST,
    entryNames: '[name]',
    bundle: true,
    format: 'esm',
    minify: true,
    target: 'es2022',
    define: { 'process.env.NODE_ENV': '"production"', 'process.env.PERF_BUILD': 'undefined' },
    // What is fetched keeps its path in node_modules: two versions of one package have files of one name.
    loader: { '.wasm': 'file' },
    assetNames: '[dir]/[name]',
    plugins: [assets({ root: BENCH, outdir: BENCH_DIST }), nodeModules()],
    // As it is served.
    external: ['/dist/tabhub.js'],
    legalComments: 'none',
    logLevel: 'error',
  });
  for (const folder of SERVED) cpSync(join(BENCH, folder), join(BENCH_DIST, folder), { recursive: true, filter: (path) => !path.endsWith('.map') });
}
