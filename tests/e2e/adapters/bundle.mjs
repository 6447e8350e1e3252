// Bundles index.js with the built adapters and the real libraries into a folder of its own, as an app's bundler would. The client itself stays at its URL,
// which is how it finds its worker.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { compile } from 'svelte/compiler';
import { ROOT } from '../site.mjs';

const folder = mkdtempSync(join(tmpdir(), 'tabhub-adapters-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

const tabhub = {
  name: 'tabhub',
  setup({ onResolve }) {
    onResolve({ filter: /^tabhub$|\/tabhub\.js$/ }, () => ({ path: '/dist/tabhub.js', external: true }));
    onResolve({ filter: /^tabhub\// }, ({ path }) => ({ path: join(ROOT, 'dist', `${path.slice('tabhub/'.length)}.js`) }));
  },
};
const svelte = {
  name: 'svelte',
  setup({ onLoad }) {
    onLoad({ filter: /\.svelte$/ }, async ({ path }) => ({ contents: compile(await readFile(path, 'utf8'), { filename: path, generate: 'client' }).js.code }));
  },
};

/** Answers the mounts for `withWorld`: the page is `adapters.html`. */
export async function bundleAdapters() {
  await build({
    entryPoints: [fileURLToPath(new URL('index.js', import.meta.url))],
    outfile: join(folder, 'adapters.js'),
    bundle: true, format: 'esm', target: 'es2022', sourcemap: 'inline', logLevel: 'error', plugins: [tabhub, svelte],
    define: { 'process.env.NODE_ENV': '"development"' },
  });
  return { '/adapters/': relative(ROOT, folder) };
}
