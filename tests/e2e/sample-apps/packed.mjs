// The package as it would be published, and apps that have it installed. package.test.mjs packs once; the apps beside this file install.
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../site.mjs';

const NPM_MS = 120_000;
const INSTALL = ['install', '--prefer-offline', '--ignore-scripts', '--legacy-peer-deps', '--no-audit', '--no-fund'];

export function npm(folder, ...args) {
  return execFileSync('npm', args, { cwd: folder, timeout: NPM_MS, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

/** Packs into the folder: `{ filename, version, files: [{ path }] }`. */
export function pack(folder) {
  const [packed] = JSON.parse(npm(folder, 'pack', ROOT, '--json', '--ignore-scripts'));
  return packed;
}

/** An empty folder with the package, and what else is named, installed. The package has no dependencies: alone, nothing is fetched. */
export function createApp({ folder, filename }, name, ...packages) {
  const app = join(folder, name);
  mkdirSync(join(app, 'public'), { recursive: true });
  writeFileSync(join(app, 'package.json'), JSON.stringify({ name, private: true, type: 'module' }));
  npm(app, ...INSTALL, join(folder, filename), ...packages);
  return app;
}

/** A page for the scripts, in the app's folder `public`. */
export function writePage(app, scripts) {
  writeFileSync(join(app, 'public', 'index.html'), `<!doctype html><html lang="en"><meta charset="utf-8"><title>An app</title><link rel="icon" href="data:,"><body>${scripts}</body></html>`);
}

/** Out of the package to beside what a bundler has made that knows no assets. */
export function copyFromPackage(app, ...files) {
  for (const file of files) cpSync(join(app, 'node_modules/tabhub/dist', file), join(app, 'public', file));
}

/** What an app is: a form that writes, and a list that follows. It is there once the database is open. */
export const NOTES = `async function showNotes(open) {
  const db = await open('packed.db', { migrations: [{ version: 1, up: 'CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT NOT NULL)' }] });
  document.body.innerHTML = '<form><input></form><ul></ul>';
  document.querySelector('form').onsubmit = (event) => {
    event.preventDefault();
    db.run('INSERT INTO note (text) VALUES (?)', [document.querySelector('input').value]);
  };
  db.live('SELECT text FROM note ORDER BY id').subscribe((rows) => {
    document.querySelector('ul').replaceChildren(...rows.map(({ text }) => Object.assign(document.createElement('li'), { textContent: text })));
  });
  globalThis.db = db;
}
`;
