/**
 * The databases that are measured, and tabs on them. Each origin has an IndexedDB store of its own in the browser, so a large database does not
 * weigh on a small one; each opening gets a hub of its own, since a hub's memory and cache remember what was before.
 */
import { fill, nothing, openHere } from './pages.mjs';

export const RUN_MS = 900_000;
const FILL_MB = 4;
const FRESH_MS = 60_000;

export class Stage {
  #world;
  #hubs = 0;
  #filled = new Map();

  constructor(world, { rounds, large_mb }) {
    this.#world = world;
    this.rounds = rounds;
    /** Rows of a kilobyte. */
    this.rows = { empty: 0, tiny: 5_000, small: 100_000, large: large_mb * 1000 };
    this.mb = { empty: 0, tiny: 5, small: 100, large: large_mb };
  }

  async engine() {
    const tab = await this.page('empty');
    const engine = await tab.run(() => ({ agent: navigator.userAgent, jspi: 'Suspending' in WebAssembly }));
    await tab.close();
    return engine;
  }

  processOfHub(tab) {
    return this.#world.processOfHub(tab);
  }

  killProcess(pid) {
    return this.#world.browser.killProcess(pid);
  }

  restart() {
    return this.#world.restart();
  }

  /** A page of the database's origin, with nothing open. */
  async page(name) {
    if (!this.#world.browser) await this.#world.start();
    const url = new URL(this.#world.site.page('esm.html'));
    url.hostname = `${name}.localhost`;
    return this.#world.browser.newTab(url.href);
  }

  /** The URL of a hub that nobody has talked to yet, with the worker's parameters for tests. */
  worker(parameters = {}) {
    const search = new URLSearchParams({ ...parameters, fresh: ++this.#hubs });
    return `/dist/hub.js?${search}`;
  }

  /** A tab with the database open as `db`, in a fresh hub or in the one of `workerUrl`. */
  async tab(name, { parameters, workerUrl = this.worker(parameters), ...options } = {}) {
    await this.fill(name);
    const tab = await this.page(name);
    await tab.run(openHere, { name: 'figures.db', options: { ...options, workerUrl } }, FRESH_MS);
    return tab;
  }

  /** Runs `body(tab)` on a tab as above and closes it. */
  async with(name, settings, body) {
    const tab = await this.tab(name, settings);
    try {
      return await body(tab);
    } finally {
      await tab.close();
    }
  }

  /** Makes the database, once, and lets its checkpoint end: the log is read at each open, whatever the size. */
  fill(name) {
    if (!this.#filled.has(name)) this.#filled.set(name, this.#fill(name));
    return this.#filled.get(name);
  }

  async #fill(name) {
    const tab = await this.page(name);
    await tab.run(openHere, { name: 'figures.db', options: { workerUrl: this.worker() } }, FRESH_MS);
    await tab.run(fill, { mb: this.mb[name], part: FILL_MB }, RUN_MS);
    for (let last = -1; ; ) {
      const { store_writes } = await tab.run(() => db.metrics());
      if (store_writes === last) break;
      last = store_writes;
      await tab.run(nothing, 1_000);
    }
    await tab.close();
  }
}
