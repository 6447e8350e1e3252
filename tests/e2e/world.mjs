// One test's world: a site, a profile folder and a browser on them, all gone afterwards. Every *.test.mjs begins here.
// It never lets a test start without the built dist/: a suite that tested nothing must not pass.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { launch } from './browser.mjs';
import { ROOT, startSite } from './site.mjs';

/** Folders to remove even when a signal ends the test; browser.mjs has killed the browser by then. */
const folders = new Set();
process.on('exit', () => folders.forEach(removeFolder));

function removeFolder(folder) {
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  folders.delete(folder);
}

/** Runs `body(world)` with the test's context `t`. `engine`: other than the usual one; `preciseClock`: for measuring. The rest goes to the site. */
export async function withWorld(t, body, { engine, preciseClock, ...options } = {}) {
  if (!existsSync(join(ROOT, 'dist/hub.wasm'))) throw new Error('dist/ is not built: run `npm run build` first');
  const world = new World(t, { engine, preciseClock }, await startSite(options));
  try {
    await world.explain(() => body(world));
  } finally {
    await world.end();
  }
}

class World {
  folder = mkdtempSync(join(tmpdir(), 'tabhub-e2e-'));
  browser = null;
  #t;
  #how;
  #tabs = [];

  constructor(t, how, site) {
    this.#t = t;
    this.#how = how;
    folders.add(this.folder);
    this.site = site;
  }

  /** A named part of the test. The parts after a failed one still run: they fail or pass for themselves. Answers whether it went well. */
  async step(name, body, { skip = false } = {}) {
    let isWell = Boolean(skip);
    await this.#t.test(name, { skip }, async () => {
      await this.explain(body);
      isWell = true;
    });
    return isWell;
  }

  /** When `body` fails, the consoles of the pages are printed: most causes stand there. */
  async explain(body) {
    try {
      return await body();
    } catch (error) {
      this.#printConsoles();
      throw error;
    }
  }

  /** (Re)starts the browser on the same profile; one that still runs is killed. */
  async start() {
    await this.browser?.kill9();
    this.browser = await launch({ profile: join(this.folder, 'profile'), ...this.#how });
  }

  /** A page with tabhub loaded and, if a name is given, the database open as `db`. */
  async tab(database, { page = 'esm.html', options = {} } = {}) {
    if (!this.browser) await this.start();
    const tab = await this.browser.newTab(this.site.page(page));
    this.#tabs.push(tab);
    if (database) await tab.run(openDatabase, { database, options });
    return tab;
  }

  /** Several tabs on one database, opened one after the other: the first one hosts the hub. */
  async tabs(count, database, options) {
    const tabs = [];
    while (tabs.length < count) tabs.push(await this.tab(database, options));
    return tabs;
  }

  /** The process of the hub that a tab uses. The hub is given a query without an end; nothing else may be asked of it meanwhile. */
  processOfHub(tab) {
    const endless = (timeout) => tab.run((timeout) => db.query(harness.endless, [], { timeout }), timeout);
    return this.browser.processOf((ms) => assert.rejects(endless(ms), { code: 'HUB_TIMEOUT' }));
  }

  async restart() {
    await this.browser.close();
    await this.start();
  }

  #printConsoles() {
    this.#tabs.forEach((tab, at) => {
      // Each line once, for the failure that it precedes.
      const lines = tab.console.splice(0);
      if (!tab.isClosed) for (const line of lines.slice(-40)) process.stderr.write(`  tab ${at}: ${line}\n`);
    });
  }

  async end() {
    try {
      await this.browser?.kill9();
    } finally {
      await this.site.close();
      removeFolder(this.folder);
    }
  }
}

/* Runs in the page. */
async function openDatabase({ database, options }) {
  globalThis.db = await tabhub.open(database, options);
}
