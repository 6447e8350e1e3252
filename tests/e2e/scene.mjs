// What a failover is played on: tabs on a database of their own, all writing and reading, one of them the hub's. The scenarios
// (scenarios.mjs) say through this interface what happens; failover.mjs judges. It knows no scenario, and asserts only what must hold
// in all of them.
import assert from 'node:assert/strict';
import { until } from './deadline.mjs';
import { createLedger, everyLaneAcked, heard, startWriting } from './ledger.mjs';

const DELETED_MS = 30_000;

/** Each tab writes under a number of its own, whatever the database and the browser. */
let lastNumber = 0;

export class Scene {
  /** The tab whose end or sleep is the hub's. */
  hub;
  /** The hub's process, where the scenario asked for it. */
  pid;
  /** How it came about, where that depends on the engine: for the report. */
  notes = [];
  /** The numbers of the tabs that ended while they wrote. */
  gone = [];
  #world;
  #mode;
  #database;
  /** The tabs that write, with their numbers. */
  #writing = new Map();
  /** Tabs whose process is gone, and which the browser still shows. */
  #dead = [];
  /** Where among the site's lines this began. */
  #from;

  constructor(world, mode, database) {
    this.#world = world;
    this.#mode = mode;
    this.#database = database;
    this.#from = this.#lines.all.length;
  }

  get browser() {
    return this.#world.browser;
  }

  get #lines() {
    return this.#world.site.lines;
  }

  /** The tabs that write. */
  get tabs() {
    return [...this.#writing.keys()];
  }

  get others() {
    return this.tabs.filter((tab) => tab !== this.hub);
  }

  /** All numbers under which was written. */
  get numbers() {
    return [...this.#writing.values(), ...this.gone];
  }

  numbersOf(tabs) {
    return tabs.map((tab) => this.#writing.get(tab));
  }

  get said() {
    return heard(this.#lines.all.slice(this.#from), this.numbers);
  }

  /** Opens a tab with each of the `options`, one after the other, and lets all write once it is known which is the hub's. */
  async begin(options, { findsProcess }) {
    const tabs = [];
    for (const each of options) tabs.push(await this.#newTab(each));
    this.hub = await this.#hubOf(tabs);
    if (findsProcess) this.pid = await this.#world.processOfHub(this.hub);
    await createLedger(tabs[0]);
    await this.#write(tabs);
  }

  /** One more tab that writes. */
  async add(options) {
    const tab = await this.#newTab(options);
    await this.#write([tab]);
    return tab;
  }

  async close(tab) {
    this.end(tab);
    await tab.close();
  }

  /** The tab's writing ended in its midst. */
  end(tab) {
    this.gone.push(this.#writing.get(tab));
    this.#writing.delete(tab);
  }

  /** The tab's process is about to be killed. */
  endDead(tab) {
    this.end(tab);
    this.#dead.push(tab);
  }

  /** The tab shows its page anew: it opens the database again. */
  async renew(tab) {
    this.end(tab);
    await this.#open(tab);
    await this.#write([tab]);
  }

  /**
   * The hub's tab is put aside by `act`. Before, it ends its transactions: one that is left open holds up all who write for as long as
   * the hub lets it be idle, whatever becomes of the tab; here it is about the hub.
   */
  async putAside(act) {
    const { hub } = this;
    await hub.run(() => ledger.hold());
    await act(hub);
    await hub.run(() => ledger.goOn());
  }

  /** Goes to another page of the site. */
  leave(tab) {
    return tab.leave(this.#world.site.page('away.html'));
  }

  /** Back to the page that was left. What the browser kept goes on by itself. */
  async comeBack(tab) {
    await tab.back();
    const isKept = await tab.run(() => globalThis.db !== undefined);
    if (isKept) return void this.notes.push('the page was kept');
    this.notes.push(`the page was loaded anew (${await tab.run(whyNotKept)})`);
    await this.renew(tab);
  }

  /** Until each of the tabs has been acknowledged something of each kind, from now on. */
  async goOn(tabs, when) {
    await everyLaneAcked(this.#lines, this.#lines.all.length, this.numbersOf(tabs), when);
  }

  /** Until each tab has been told that the storage was deleted. Everything of before is over then. */
  async seeDeleted() {
    for (const tab of this.tabs) await until(DELETED_MS, 'the tab to hear of the deletion', () => tab.run(() => db.status.state === 'failed'));
    await this.stop();
  }

  /** Opens the database again in each tab, and begins from nothing. */
  async beginAnew() {
    const { tabs } = this;
    for (const tab of tabs) await this.#open(tab);
    this.hub = await this.#hubOf(tabs);
    this.#from = this.#lines.all.length;
    this.gone = [];
    await createLedger(tabs[0]);
    await this.#write(tabs);
  }

  async stop() {
    await Promise.all(this.tabs.map((tab) => tab.run(() => ledger.stop())));
  }

  async closeAll() {
    await Promise.all([...this.tabs, ...this.#dead].map((tab) => tab.close()));
  }

  /** A page of the site deletes what the hub stores, as a tab of an app that cleans up does. */
  async deleteStorage() {
    await this.others[0].run(deleteInPage, this.#database);
  }

  async #newTab(options) {
    const tab = await this.#world.tab(undefined, { page: 'ledger.html' });
    await this.#open(tab, options);
    return tab;
  }

  async #open(tab, options) {
    await tab.run(openInPage, { database: this.#database, options: { mode: this.#mode, ...options } });
  }

  async #write(tabs) {
    for (const tab of tabs) this.#writing.set(tab, ++lastNumber);
    await startWriting(tabs, this.numbersOf(tabs), { large: false });
  }

  /** The process of the first tab hosts a SharedWorker; else a tab says that it leads. */
  async #hubOf(tabs) {
    if (this.#mode === 'shared') return tabs[0];
    const roles = await Promise.all(tabs.map((tab) => tab.run(() => db.status.role)));
    assert.equal(roles.filter((role) => role === 'leader').length, 1, `one tab leads: ${roles.join(', ')}`);
    return tabs[roles.indexOf('leader')];
  }
}

/* These run in the page. */
async function openInPage({ database, options }) {
  globalThis.db = await tabhub.open(database, options);
  globalThis.failovers = [];
  db.on('failover', (event) => failovers.push(event));
}

/** Chromium alone tells. */
function whyNotKept() {
  const [{ notRestoredReasons }] = performance.getEntriesByType('navigation');
  return notRestoredReasons?.reasons?.map(({ reason }) => reason).join(', ') ?? 'the browser does not say why';
}

function deleteInPage(database) {
  return new Promise((resolve, reject) => {
    const request = indexedDB.deleteDatabase(`tabhub:${database}`);
    request.onsuccess = () => resolve();
    request.onerror = () => reject(request.error);
    request.onblocked = () => reject(new Error('the hub did not let go of the database'));
  });
}
