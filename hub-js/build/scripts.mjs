/**
 * Bundles the worker and the client with esbuild and writes the type declarations. Called by build.mjs after the glue exists.
 */
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { BuildError, DIST, GLUE, ROOT, run } from './tools.mjs';
import { SWITCH_WASM } from './wasm.mjs';

const SOURCE = join(ROOT, 'hub-js');
const TSC = join(ROOT, 'node_modules', '.bin', 'tsc');

const COMMON = {
  absWorkingDir: ROOT,
  bundle: true,
  minify: true,
  sourcemap: true,
  target: 'es2022',
  logLevel: 'warning',
  legalComments: 'none',
};

/** What is written, from which entry, in which form. hub.js is a classic script: it must also run as a plain SharedWorker without modules. */
const BUNDLES = [
  { entryPoints: [join(SOURCE, 'worker.ts')], outfile: join(DIST, 'hub.js'), format: 'iife', alias: { 'tabhub-wasm': join(GLUE, 'tabhub.js'), 'tabhub-stack-switch': SWITCH_WASM }, loader: { '.wasm': 'base64' } },
  { entryPoints: [join(SOURCE, 'index.ts')], outfile: join(DIST, 'tabhub.js'), format: 'esm' },
  { entryPoints: [join(SOURCE, 'global.ts')], outfile: join(DIST, 'tabhub.global.js'), format: 'iife' },
];

/** The sub-paths of the package, each a module beside tabhub.js, which it imports rather than brings along; the libraries that they adapt to are the app's. */
export const SUB_PATHS = {
  compat: 'compat/index.ts', kysely: 'adapters/kysely.ts', drizzle: 'adapters/drizzle.ts',
  react: 'adapters/react.ts', vue: 'adapters/vue.ts', svelte: 'adapters/svelte.ts', solid: 'adapters/solid.ts',
};
const CLIENT_BESIDE = {
  name: 'client-beside',
  setup(build) {
    build.onResolve({ filter: /\/index\.js$/ }, ({ path, resolveDir }) => (join(resolveDir, path) === join(SOURCE, 'index.js') ? { path: './tabhub.js', external: true } : undefined));
  },
};
const SUB_PATH_BUNDLES = Object.entries(SUB_PATHS).map(([name, source]) => (
  { entryPoints: [join(SOURCE, source)], outfile: join(DIST, `${name}.js`), format: 'esm', packages: 'external', plugins: [CLIENT_BESIDE] }
));

export async function bundleScripts() {
  console.log('→ esbuild');
  for (const bundle of [...BUNDLES, ...SUB_PATH_BUNDLES]) {
    const { warnings } = await build({ ...COMMON, ...bundle });
    if (warnings.length > 0) throw new BuildError(`esbuild warned about ${bundle.outfile}; a warning there is a fault in the product`);
  }
}

/** dist/tabhub.d.ts is the one entry; the declarations it re-exports lie in dist/types/. */
export async function emitTypes() {
  console.log('→ tsc (types)');
  const types = join(DIST, 'types');
  rmSync(types, { recursive: true, force: true });
  await run([TSC, '-p', join(SOURCE, 'build', 'tsconfig.types.json')]);
  if (!existsSync(join(types, 'index.d.ts'))) throw new BuildError('tsc wrote no dist/types/index.d.ts');
  writeFileSync(join(DIST, 'tabhub.d.ts'), "export * from './types/index.js';\n");
}
