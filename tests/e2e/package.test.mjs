// At stake: a package that works in this folder and nowhere else. It is packed, installed into an empty folder for each kind of app, built there as that kind
// is built, and opened in two tabs: what one writes, the other shows. The page that has its scripts from a CDN is in cdn.test.mjs.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { test } from 'node:test';
import { until } from './deadline.mjs';
import { nextApp } from './sample-apps/next.mjs';
import { pack } from './sample-apps/packed.mjs';
import { esbuildApp, nextStyleApp, scriptApp, webpackApp } from './sample-apps/small.mjs';
import { editWhileOpen, installViteApp, withVite } from './sample-apps/vite.mjs';
import { ROOT } from './site.mjs';
import { withWorld } from './world.mjs';

const SEEN_MS = 20_000;
const AXE = readFileSync(join(ROOT, 'node_modules/axe-core/axe.min.js'), 'utf8');

test('the packed package works where it is installed', { timeout: 600_000 }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'tabhub-package-'));
  try {
    const packed = { folder, ...pack(folder) };
    checkFiles(packed.files.map(({ path }) => path));
    await withWorld(t, (world) => openApps(world, packed), { mounts: { '/apps/': relative(ROOT, folder) } });
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
});

function checkFiles(files) {
  for (const file of ['dist/tabhub.js', 'dist/hub.js', 'dist/hub.wasm', 'dist/tabhub.global.js', 'README.md', 'LICENSE-MIT']) assert.ok(files.includes(file), `${file} is in the package`);
  assert.deepEqual(files.filter((file) => !/^(dist\/|README|LICENSE|package\.json)/.test(file)), [], 'nothing else is');
}

async function openApps(world, packed) {
  await world.step('esbuild', async () => {
    const [tab] = await useInTwoTabs(world, await esbuildApp(packed));
    await until(SEEN_MS, 'the app to be through', () => tab.ask(() => globalThis.about !== undefined));
    assert.deepEqual(await tab.ask(() => about), { version: packed.version, code: 'SQLITE_ERROR', names: ['packed.db'] });
  });
  await world.step('a classic script', async () => useInTwoTabs(world, await scriptApp(packed)));
  await world.step('webpack', async () => useInTwoTabs(world, await webpackApp(packed)));
  await world.step('webpack as Next.js sets it', async () => useInTwoTabs(world, await nextStyleApp(packed)));
  await world.step('Next.js', async () => useInTwoTabs(world, await nextApp(packed)), { skip: process.env.TABHUB_ALL ? false : 'TABHUB_ALL=1 plays it' });
  const app = installViteApp(packed);
  await world.step('Vite, built', () => withVite(app, 'preview', async (url) => {
    const [tab] = await useInTwoTabs(world, url);
    assert.deepEqual(await tab.ask(violations, AXE), []);
  }));
  await world.step('Vite, as a development server', () => withVite(app, 'dev', async (url) => {
    const tabs = await useInTwoTabs(world, url);
    await editWhileOpen(app, tabs);
    await tellOther(tabs, 'after the change');
  }));
}

/** Opens the page twice; either writes what the other must show. */
async function useInTwoTabs(world, page) {
  const tabs = [await world.tab(null, { page }), await world.tab(null, { page })];
  for (const tab of tabs) await until(SEEN_MS, `${page} to be open`, () => tab.ask(() => document.querySelector('form') !== null));
  await tellOther(tabs, `from one tab of ${page}`);
  await tellOther([...tabs].reverse(), `from the other tab of ${page}`);
  assert.deepEqual(tabs.flatMap((tab) => tab.console.filter((line) => /^(error|warning|uncaught)/.test(line))), []);
  return tabs;
}

async function tellOther([one, other], text) {
  await one.ask((text) => {
    document.querySelector('form input').value = text;
    document.querySelector('form').requestSubmit();
  }, text);
  await until(SEEN_MS, `the other tab to show ${text}`, () => other.ask((text) => document.body.textContent.includes(text), text));
}

/* Runs in the page. */
async function violations(source) {
  new Function(source)();
  return (await globalThis.axe.run(document, { resultTypes: ['violations'] })).violations.map(({ id, help }) => `${id}: ${help}`);
}
