// At stake: a package that works in this folder and nowhere else. It is packed, installed into an empty folder, bundled there as an app does it, and
// used from two tabs; so are its types, its classic script, and the worker and WebAssembly that a bundler leaves alone.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { test } from 'node:test';
import { build } from 'esbuild';
import { until } from './deadline.mjs';
import { ROOT } from './site.mjs';
import { withWorld } from './world.mjs';

const INSTALL_MS = 60_000;
const SEEN_MS = 10_000;

/** What an app is: its own module, bundled; a page that loads it. */
const APP = `import { open, HubError, version } from 'tabhub';
import { Database as Ancestor } from 'tabhub/compat';
const db = await open('packed.db', { workerUrl: '/app/hub.js' });
await db.exec('CREATE TABLE IF NOT EXISTS note (id INTEGER PRIMARY KEY, text TEXT)');
let rows = [];
db.live('SELECT text FROM note ORDER BY id').subscribe((now) => { rows = now.map(({ text }) => text); });
const code = await db.query('SELEKT 1').catch((error) => (error instanceof HubError ? error.code : 'not a HubError'));
Object.assign(globalThis, { db, read: () => rows, about: { version, code, names: await Ancestor.getAllDatabases() } });`;
const PAGE = (scripts) => `<!doctype html><html lang="en"><meta charset="utf-8"><title>An app</title>${scripts}<p>An app</p></html>`;

test('the packed package works where it is installed', { timeout: 240_000 }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'tabhub-package-'));
  try {
    const { version, files } = install(folder);
    for (const file of ['dist/tabhub.js', 'dist/hub.js', 'dist/hub.wasm', 'dist/tabhub.global.js', 'README.md', 'LICENSE-MIT']) assert.ok(files.includes(file), `${file} is in the package`);
    assert.deepEqual(files.filter((file) => !/^(dist\/|README|LICENSE|package\.json)/.test(file)), [], 'nothing else is');
    await bundleApp(folder);
    await withWorld(t, (world) => useApp(world, version), { mounts: { '/app/': relative(ROOT, join(folder, 'public')) } });
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
});

/** Into an empty folder; the package has no dependencies, so nothing is fetched. */
function install(folder) {
  const npm = (...args) => execFileSync('npm', args, { cwd: folder, timeout: INSTALL_MS, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'app', private: true, type: 'module' }));
  const [{ filename, version, files }] = JSON.parse(npm('pack', ROOT, '--json', '--ignore-scripts'));
  npm('install', '--offline', '--ignore-scripts', '--legacy-peer-deps', '--no-audit', '--no-fund', `./${filename}`);
  return { version, files: files.map(({ path }) => path) };
}

async function bundleApp(folder) {
  const [from, to] = [join(folder, 'node_modules/tabhub/dist'), join(folder, 'public')];
  mkdirSync(to);
  writeFileSync(join(folder, 'app.js'), APP);
  await build({ entryPoints: [join(folder, 'app.js')], bundle: true, format: 'esm', target: 'es2022', logLevel: 'error', outfile: join(to, 'app.js'), minify: true });
  for (const file of ['hub.js', 'hub.wasm', 'tabhub.global.js']) cpSync(join(from, file), join(to, file));
  writeFileSync(join(to, 'index.html'), PAGE('<script type="module" src="app.js"></script>'));
  writeFileSync(join(to, 'plain.html'), PAGE(`<script src="tabhub.global.js"></script><script>globalThis.opened = tabhub.open('packed.db').then((db) => { globalThis.db = db; });</script>`));
  assert.ok(readFileSync(join(to, 'app.js'), 'utf8').length < 100_000, 'the worker is no part of the bundle');
}

async function useApp(world, version) {
  const [one, other] = [await world.tab(null, { page: '/app/index.html' }), await world.tab(null, { page: '/app/index.html' })];
  for (const tab of [one, other]) await until(SEEN_MS, 'the app to be open', () => tab.ask(() => globalThis.about !== undefined));
  assert.deepEqual(await one.ask(() => about), { version, code: 'SQLITE_ERROR', names: ['packed.db'] });
  await one.ask(() => db.run("INSERT INTO note (text) VALUES ('from one tab')"));
  await until(SEEN_MS, 'the other tab to see it', async () => (await other.ask(() => read())).includes('from one tab'));
  const plain = await world.tab(null, { page: '/app/plain.html' });
  await plain.ask(() => opened);
  await plain.ask(() => db.run("INSERT INTO note (text) VALUES ('from a classic script')"));
  await until(SEEN_MS, 'the first tab to see it', async () => (await one.ask(() => read())).length === 2);
  assert.equal(new Set(await Promise.all([one, other, plain].map((tab) => tab.ask(() => db.status.hub)))).size, 1, 'one hub for all');
}
