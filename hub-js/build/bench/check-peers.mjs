/**
 * `node hub-js/build/bench/check-peers.mjs [ids]`: has each peer of `npm run bench` do every operation of the table in a browser, its results
 * asserted, find the rows again in a fresh page, write in two tabs at once where it says it can, and download what it says. Prints ok or the failure
 * of each peer; ends with an error if one failed. It measures nothing.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BuildError, ROOT, runAsScript } from '../tools.mjs';
import * as checks from './checks.mjs';
import { ISOLATION } from './stage.mjs';

const DEADLINE_MS = 90_000;
const SEEN_MS = 10_000;
const WRITES = 25;
/** What is served there, and how the peers name it. */
const DOWNLOADED = [['/dist/', '../../dist/'], ['/bench/node_modules/', 'node_modules/'], ['/bench/', 'dist/']];
/** Of one run; it has nothing of the tests' harness, which no peer is to meet. */
const PAGE = '/examples/benchmark/run.html';

runAsScript(import.meta.url, async (args) => {
  const { bundlePeers, peerIds } = await import('./bundle.mjs');
  for (const id of args) if (!peerIds().includes(id)) throw new BuildError(`${id}: no such peer; choose of ${peerIds().join(', ')}`);
  await bundlePeers();
  const failed = [];
  for (const id of args.length > 0 ? args : peerIds()) {
    const failure = await failureOf(id);
    console.log(failure === null ? `ok       ${id}` : `FAILING  ${id}: ${failure}`);
    if (failure !== null) failed.push(id);
  }
  if (failed.length > 0) throw new BuildError(`failing: ${failed.join(', ')}`);
});

/** Each peer has a browser of its own, so none meets what another left. Null: it is well. */
async function failureOf(id) {
  const { launch } = await import('../../../tests/e2e/browser.mjs');
  const folder = mkdtempSync(join(tmpdir(), 'tabhub-peer-'));
  const site = await startPeerSite();
  let browser;
  let subject;
  try {
    browser = await launch({ profile: join(folder, 'profile') });
    subject = new Subject(id, browser, site);
    await subject.check();
    return null;
  } catch (error) {
    return [`${subject?.doing ?? 'starting the browser'}: ${error.message}`, ...(subject?.console ?? [])].join('\n');
  } finally {
    await browser?.kill9();
    await site.close();
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

class Subject {
  doing = 'loading it';
  #id;
  #browser;
  #site;
  #tabs = [];
  #isIsolated = false;

  constructor(id, browser, site) {
    this.#id = id;
    this.#browser = browser;
    this.#site = site;
  }

  get console() {
    return this.#tabs.flatMap((tab) => tab.console.slice(-8)).map((line) => `    ${line.slice(0, 600)}`);
  }

  async check() {
    const { package: library, isolated, ack, tabs, download } = await this.#run((id) => bench.describe(id), this.#id, await this.#tab());
    this.#isIsolated = isolated;
    for (const durability of Object.keys(ack).filter((durability) => ack[durability] !== null)) {
      await this.#checkOneTab(durability);
      if (tabs) await this.#checkTwoTabs(durability);
    }
    this.doing = 'what a page downloaded';
    // An adapter is the library's bundle too, where there is one from npm.
    const adapter = library === null || library === 'tabhub' ? `dist/${this.#id}.js` : null;
    refuseOtherDownload(download, this.#site.downloaded.filter((file) => file !== adapter));
  }

  async #checkOneTab(durability) {
    for (const check of [checks.checkTable, checks.checkReopened]) {
      await this.#closeTabs();
      this.doing = `${durability}, ${check.name}`;
      await this.#run(check, { id: this.#id, durability }, await this.#tab());
    }
  }

  /** Both write at once, and each sees the other's rows. */
  async #checkTwoTabs(durability) {
    await this.#closeTabs();
    const tabs = [await this.#tab(), await this.#tab()];
    this.doing = `${durability}, opening in two tabs`;
    for (const [at, tab] of tabs.entries()) {
      await this.#run(checks.openTable, { id: this.#id, durability }, tab);
      if (at === 0) await this.#run(checks.createTable, null, tab);
    }
    this.doing = `${durability}, writing in two tabs at once`;
    await Promise.all(tabs.map((tab, at) => this.#run(checks.insertFrom, { from: 1 + at * 1_000, count: WRITES }, tab)));
    for (const tab of tabs) await this.#run(checks.countIn, { wanted: 2 * WRITES, ms: SEEN_MS }, tab);
    this.doing = `${durability}, watching what another tab writes`;
    if (await this.#run(checks.watchTable, null, tabs[1])) {
      await this.#run(checks.insertFrom, { from: 9_999, count: 1 }, tabs[0]);
      await tabs[1].run(checks.seesRow, null, SEEN_MS);
    }
    this.doing = `${durability}, closing two tabs`;
    // The first one last: how peers hand over is not what is checked.
    for (const tab of tabs.reverse()) await this.#run(checks.closeTable, null, tab);
  }

  #run(check, argument, tab) {
    return tab.run(check, argument, DEADLINE_MS);
  }

  async #tab() {
    const tab = await this.#browser.newTab(`${this.#site.url}${PAGE}${this.#isIsolated ? '?isolated' : ''}`);
    this.#tabs.push(tab);
    return tab;
  }

  async #closeTabs() {
    for (const tab of this.#tabs.splice(0)) await tab.close();
  }
}

/** Sizes are reported of the files that a peer names. */
function refuseOtherDownload(named, downloaded) {
  const missing = downloaded.filter((file) => !named.includes(file));
  const unused = named.filter((file) => !downloaded.includes(file));
  if (missing.length + unused.length > 0) throw new Error(`not named: ${missing.join(', ') || 'none'}; named, not downloaded: ${unused.join(', ') || 'none'}`);
}

/** `downloaded`: what was fetched from the bundles, as the peers name it. */
async function startPeerSite() {
  const { startServer } = await import('../serve.mjs');
  const downloaded = new Set();
  const server = await startServer({
    root: ROOT,
    mounts: { '/bench/': 'examples/benchmark/dist' },
    hook(_, response, url) {
      const { pathname, searchParams } = url;
      const [path, folder] = DOWNLOADED.find(([path]) => pathname.startsWith(path)) ?? [];
      if (path) downloaded.add(pathname.replace(path, folder));
      // Workers of an isolated page must be isolated too, and a plain page does not mind theirs being so.
      response.setHeader('Cross-Origin-Embedder-Policy', ISOLATION['Cross-Origin-Embedder-Policy']);
      if (pathname !== PAGE) return false;
      for (const name of Object.keys(ISOLATION)) response.removeHeader(name);
      if (searchParams.has('isolated')) for (const [name, value] of Object.entries(ISOLATION)) response.setHeader(name, value);
      return false;
    },
  });
  return { ...server, get downloaded() { return [...downloaded]; } };
}
