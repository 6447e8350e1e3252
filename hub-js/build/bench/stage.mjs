/**
 * One run: a peer, a scenario, a round. It opens pages with the peer's table in them, on an origin of the run's own, so that nothing that another
 * run or peer has stored weighs on it. It never measures and never looks at what a workload answers.
 */
import { Skipped } from './skipped.mjs';

/** Hosts under this one get the headers that isolate a page. */
const ISOLATED = 'isolated.localhost';
export const ISOLATION = { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp', 'Cross-Origin-Resource-Policy': 'same-origin' };
const DATABASE = 'bench.db';
const TROUBLE = /^(error|warning|uncaught)/;
const TROUBLES_MAX = 3;

/** What `withWorld` needs to serve the benchmark. */
export const SITE = {
  mounts: { '/bench/': 'examples/benchmark/dist' },
  headersFor: ({ headers: { host } }) => (host.split(':')[0].endsWith(ISOLATED) ? ISOLATION : {}),
};

/** What the peers say of themselves: `{ id, described }`, or `{ id, message }` of one that cannot even be loaded. */
export async function describePeers(world, ids) {
  const peers = [];
  const tab = await page(world, 'peers.localhost');
  for (const id of ids) {
    const described = await tab.run((id) => bench.describe(id), id).catch(({ message }) => ({ id, name: id, message: `cannot be loaded: ${message}` }));
    peers.push(described);
  }
  await tab.close();
  return peers;
}

export class Run {
  #world;
  #deadline_ms;
  /** What a run that was given up still does must not meet the next one's browser. */
  #isOver = false;
  #tabs = [];

  constructor(world, { peer, label, round, deadline_ms, options }) {
    this.#world = world;
    this.peer = peer;
    this.round = round;
    this.label = label;
    this.options = options;
    this.#deadline_ms = deadline_ms;
  }

  get browser() {
    return this.#world.browser;
  }

  /** The strict one, or what a peer has that does not offer it. */
  get durability() {
    return this.peer.ack.strict === null ? 'relaxed' : 'strict';
  }

  /** A page of the peer with nothing open. `place` makes it another origin. */
  async page(place = 'main') {
    this.#assertGoesOn();
    const host = `${place}-${this.label}.${this.peer.id}.${this.peer.isolated ? ISOLATED : 'localhost'}`;
    const tab = await page(this.#world, host);
    this.#tabs.push(tab);
    return tab;
  }

  /** A page with a table open: `{ tab, call(module, name, argument) }`. `watch`: it is told of what other tabs write, and tells them. */
  async open({ place, database = DATABASE, durability = this.durability, watch = false } = {}) {
    if (this.peer.ack[durability] === null) throw new Skipped(`does not offer ${durability}`);
    const tab = await this.page(place);
    await tab.run((how) => bench.open(how), { id: this.peer.id, database, durability, watch }, this.#deadline_ms);
    return tableIn(tab, database, this.#deadline_ms);
  }

  /** How long opening takes until the row `id` of `bytes` is there, and the table. */
  async openAndRead(tab, id, bytes) {
    const how = { id: this.peer.id, database: DATABASE, durability: this.durability, row: id };
    const { ms, row } = await tab.run((how) => bench.openAndRead(how), how, this.#deadline_ms);
    if (row?.id !== id || row.body.length !== bytes) throw new Error(`the first row: expected row ${id} with ${bytes} bytes, got ${JSON.stringify(row)?.slice(0, 100)}`);
    return { ms, table: tableIn(tab, DATABASE, this.#deadline_ms) };
  }

  /** One after the other: with some peers the first one hosts what all use. */
  async openSeveral(count, options) {
    const tables = [];
    while (tables.length < count) tables.push(await this.open(options));
    return tables;
  }

  async restart() {
    this.#assertGoesOn();
    this.#tabs = [];
    await this.#world.restart();
  }

  async kill() {
    this.#assertGoesOn();
    this.#tabs = [];
    await this.#world.browser.kill9();
    await this.#world.start();
  }

  /** What went wrong in the pages last, by their consoles: most causes stand there. */
  get console() {
    return this.#tabs.flatMap((tab) => tab.console.filter((line) => TROUBLE.test(line)).slice(-TROUBLES_MAX));
  }

  #assertGoesOn() {
    if (this.#isOver) throw new Error(`the run of ${this.peer.name} is over`);
  }

  /** Closes its pages. A failed one may have left a worker that goes on for ever: the browser is started again, as is one that cannot close a page. */
  async end({ failed }) {
    this.#isOver = true;
    const open = this.#tabs.filter((tab) => !tab.isClosed);
    const closed = !failed && await Promise.all(open.map((tab) => tab.close())).then(() => true, () => false);
    if (!closed) await this.#world.start();
  }
}

function tableIn(tab, database, ms) {
  const call = (module, name, argument) => tab.run((what) => bench.call(what), { module, name, database, argument }, ms);
  return { tab, call };
}

async function page(world, host) {
  if (!world.browser) await world.start();
  return world.browser.newTab(`${originOf(world, host)}/examples/benchmark/run.html`);
}

function originOf({ site }, host) {
  const url = new URL(site.url);
  url.hostname = host;
  return url.origin;
}
