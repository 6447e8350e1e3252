/**
 * Bundles what the examples take from npm: examples/NAME/libraries.js into examples/NAME/dist/libraries.js. Called by build.mjs. The examples' own
 * modules are served as they are.
 */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { ROOT } from './tools.mjs';

const EXAMPLES = join(ROOT, 'examples');

export async function bundleExamples() {
  const folders = readdirSync(EXAMPLES).filter((name) => existsSync(join(EXAMPLES, name, 'libraries.js')));
  console.log(`→ esbuild (libraries of ${folders.join(', ')})`);
  for (const folder of folders) {
    await build({
      absWorkingDir: join(EXAMPLES, folder),
      entryPoints: ['libraries.js'],
      outdir: 'dist',
      bundle: true,
      format: 'esm',
      minify: true,
      target: 'es2022',
      define: { 'process.env.NODE_ENV': '"production"' },
      legalComments: 'none',
      logLevel: 'warning',
    });
  }
}
