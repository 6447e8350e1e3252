// The small apps of package.test.mjs, one for each way to bring the package to a page; each function makes one and answers the path of its page.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import webpack from 'webpack';
import { NOTES, copyFromPackage, createApp, writePage } from './packed.mjs';

const START = `import { open } from 'tabhub';\n${NOTES}await showNotes(open);`;
/** The sub-path, the class of the errors and the version, as the bundle has them. */
const ABOUT = `import { HubError, version } from 'tabhub';
import { Database as Ancestor } from 'tabhub/compat';
const code = await db.query('SELEKT 1').catch((error) => (error instanceof HubError ? error.code : 'not a HubError'));
globalThis.about = { version, code, names: await Ancestor.getAllDatabases() };`;

/** esbuild knows no assets: the two files are copied to beside the bundle. */
export async function esbuildApp(packed) {
  const app = createApp(packed, 'esbuild');
  writeFileSync(join(app, 'app.js'), `${START}\n${ABOUT}`);
  await build({ entryPoints: [join(app, 'app.js')], bundle: true, format: 'esm', target: 'es2022', logLevel: 'error', outfile: join(app, 'public/app.js'), minify: true });
  copyFromPackage(app, 'hub.js', 'hub.wasm');
  writePage(app, '<script type="module" src="app.js"></script>');
  assert.ok(readFileSync(join(app, 'public/app.js'), 'utf8').length < 100_000, 'the worker is no part of the bundle');
  return '/apps/esbuild/public/';
}

/** webpack finds the two files by itself. */
export async function webpackApp(packed) {
  const app = createApp(packed, 'webpack');
  writeFileSync(join(app, 'app.js'), START);
  await bundle({ mode: 'production', performance: false, context: app, entry: './app.js', output: { path: join(app, 'public') } });
  writePage(app, '<script src="main.js"></script>');
  return '/apps/webpack/public/';
}

/**
 * As Next.js sets webpack: assets are known by their path alone, and the same code is bundled for the server, where it is imported and must not fail.
 * Next.js itself is in next.mjs.
 */
export async function nextStyleApp(packed) {
  const app = createApp(packed, 'next-style');
  writeFileSync(join(app, 'app.js'), START);
  writeFileSync(join(app, 'server.js'), "import { open } from 'tabhub';\nexport const opened = open('packed.db').catch((error) => error);");
  const common = {
    mode: 'development', devtool: false, context: app,
    module: { parser: { javascript: { url: 'relative' } }, generator: { asset: { filename: 'static/media/[name].[hash:8][ext]' } } },
  };
  await bundle([
    { ...common, entry: './app.js', output: { path: join(app, 'public/_next'), publicPath: '/apps/next-style/public/_next/' } },
    { ...common, target: 'node20', entry: './server.js', experiments: { outputModule: true }, output: { path: join(app, 'server'), module: true, library: { type: 'module' }, publicPath: '/apps/next-style/public/_next/' } },
  ]);
  assert.deepEqual(readdirSync(join(app, 'public/_next/static/media')).map((name) => name.replace(/\.\w{8}\./, '.HASH.')).sort(), ['hub.HASH.js', 'hub.HASH.wasm']);
  for (const from of ['./server/main.mjs', './server.js']) openOnServer(app, from);
  writePage(app, '<script src="_next/main.js"></script>');
  return '/apps/next-style/public/';
}

/** Bundled or not, importing does no harm, and opening says why it cannot. */
function openOnServer(app, from) {
  const script = `await import('tabhub'); const { code, message } = await (await import('${from}')).opened; console.log(code + ': ' + message);`;
  const said = execFileSync('node', ['--input-type=module', '-e', script], { cwd: app, timeout: 20_000, encoding: 'utf8' });
  assert.match(said, /^HUB_UNSUPPORTED: .*no workers/);
}

/** No build at all: a page, the classic script, and the folder that npm has made. */
export async function scriptApp(packed) {
  const app = createApp(packed, 'script');
  copyFromPackage(app, 'tabhub.global.js', 'hub.js', 'hub.wasm');
  writePage(app, `<script src="tabhub.global.js"></script><script>${NOTES}showNotes(tabhub.open);</script>`);
  return '/apps/script/public/';
}

async function bundle(config) {
  const compiler = webpack(config);
  try {
    const stats = await new Promise((resolve, reject) => compiler.run((error, stats) => (error ? reject(error) : resolve(stats))));
    assert.ok(!stats.hasErrors() && !stats.hasWarnings(), stats.toString({ all: false, errors: true, warnings: true }));
  } finally {
    await new Promise((resolve) => compiler.close(resolve));
  }
}
