// examples/vite-app as a newcomer has it: copied into an empty folder, installed by its lock file, built, and served by its own Vite. Called by package.test.mjs.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '../deadline.mjs';
import { ROOT } from '../site.mjs';
import { npm } from './packed.mjs';

const START_MS = 30_000;
const CHANGED_MS = 20_000;
/** The app says where the package lies: two folders up. */
const PLACE = 'examples/vite-app';

export function installViteApp({ folder }) {
  const app = join(folder, PLACE);
  cpSync(join(ROOT, PLACE), app, { recursive: true, filter: (path) => !/\/(node_modules|dist)$/.test(path) });
  npm(app, 'ci', '--prefer-offline', '--ignore-scripts', '--no-audit', '--no-fund');
  return app;
}

/** Serves it while `use(url)` runs: `how` is 'preview', of what its `npm run build` has made, strict types and all; or 'dev'. */
export async function withVite(app, how, use) {
  if (how === 'preview') npm(app, 'run', 'build');
  const child = spawn('node', ['node_modules/vite/bin/vite.js', how, '--host', '127.0.0.1', '--port', '0'], { cwd: app, stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, NO_COLOR: '1' } });
  const exited = once(child, 'exit');
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text) => (said += text));
  try {
    const [url] = await until(START_MS, `vite ${how} to serve`, async () => child.exitCode === null ? /http:\S+:\d+\//.exec(said) : Promise.reject(new Error(said)));
    await use(url);
  } finally {
    child.kill();
    await exited;
  }
}

/** Changes a component's source while the app runs: it is seen in the tabs, which keep their pages and their connection. */
export async function editWhileOpen(app, tabs) {
  const [file, from, to] = [join(app, 'src/App.tsx'), 'Read ten pages', 'Changed while the app runs'];
  const source = readFileSync(file, 'utf8');
  assert.ok(source.includes(from), from);
  for (const tab of tabs) await tab.ask(() => { globalThis.isStillHere = true; });
  writeFileSync(file, source.replace(from, to));
  for (const tab of tabs) await until(CHANGED_MS, 'the change to be seen', () => tab.ask((to) => document.querySelector('input').placeholder === to, to));
  const kept = () => ({ isStillHere, connections: performance.getEntriesByType('resource').filter(({ name }) => name.includes('/src/database.ts')).length });
  for (const tab of tabs) assert.deepEqual(await tab.ask(kept), { isStillHere: true, connections: 1 });
}
