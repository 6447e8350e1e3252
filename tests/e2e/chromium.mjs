// The driver for Chromium, over the DevTools protocol. Only browser.mjs calls it. It never waits with a deadline of its own
// beyond the start: its caller does that.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { sleep } from './deadline.mjs';

const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-dev-shm-usage',
  // Hidden tabs are to work like visible ones.
  '--disable-background-timer-throttling',
  '--disable-backgrounding-occluded-windows',
  '--disable-renderer-backgrounding',
  '--remote-debugging-port=0',
];

export async function launchChromium({ profile, onSpawn }) {
  mkdirSync(profile, { recursive: true });
  rmSync(join(profile, 'DevToolsActivePort'), { force: true });
  const child = spawnBrowser(profile);
  const exited = once(child, 'exit');
  await once(child, 'spawn');
  onSpawn(child.pid);
  const port = await debuggingPort(profile, child);
  // Without Playwright's defaults: with them every tab would believe that it is the visible one.
  const browser = await chromium.connectOverCDP(`http://127.0.0.1:${port}`, { timeout: 30_000, noDefaults: true });
  // The first context is the profile itself; a new one would have storage of its own, in memory.
  const context = browser.contexts()[0];
  return {
    pid: child.pid,
    exited,
    newPage: async () => wrapPage(context, await context.newPage()),
    storage: storageFaults(context),
    async quit() {
      const session = await browser.newBrowserCDPSession();
      await session.send('Browser.close').catch(() => {});
      await exited;
    },
  };
}

/** Detached: the browser leads a process group, so one signal reaches all its processes. */
function spawnBrowser(profile) {
  const log = openSync(join(profile, 'stderr.log'), 'a');
  try {
    return spawn('chromium', [...FLAGS, `--user-data-dir=${profile}`, 'about:blank'], { detached: true, stdio: ['ignore', 'ignore', log] });
  } finally {
    closeSync(log);
  }
}

/** The port stands in a file that Chromium creates empty first. */
async function debuggingPort(profile, child) {
  for (;;) {
    if (child.exitCode !== null) throw new Error(`chromium exited with ${child.exitCode}; see ${join(profile, 'stderr.log')}`);
    const [port] = readIfThere(join(profile, 'DevToolsActivePort')).split('\n');
    if (port) return port;
    await sleep(25);
  }
}

function readIfThere(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT') return '';
    throw error;
  }
}

/** What can befall stored data in this engine, done by the browser itself. */
function storageFaults(context) {
  let session;
  // A page of its own: an override of the quota ends with the session that asked for it.
  const open = async () => context.newCDPSession(await context.newPage());
  const send = async (method, params) => (await (session ??= open())).send(method, params);
  return {
    /** `bytes` undefined: the browser's own quota again. */
    quota: (origin, bytes) => send('Storage.overrideQuotaForOrigin', { origin, quotaSize: bytes }),
    /** As a user does in the settings. */
    clear: (origin) => send('Storage.clearDataForOrigin', { origin, storageTypes: 'all' }),
    /** Every connection to IndexedDB is closed under its owner; what is stored stays. */
    async loseConnections() {
      const page = await context.newPage();
      await page.goto('chrome://indexeddb-internals');
      await page.click('.force-close');
      await page.close();
    },
  };
}

function wrapPage(context, page) {
  const lines = [];
  let lifecycle;
  page.setDefaultTimeout(0);
  page.on('console', (message) => lines.push(`${message.type()}: ${message.text()}`));
  page.on('pageerror', (error) => lines.push(`uncaught: ${error}`));
  return {
    console: lines,
    goto: (url) => page.goto(url),
    reload: () => page.reload(),
    evaluate: (source) => page.evaluate(source),
    close: () => page.close(),
    async setLifecycle(state) {
      lifecycle ??= await context.newCDPSession(page);
      await lifecycle.send('Page.setWebLifecycleState', { state });
    },
    async crash() {
      const session = await context.newCDPSession(page);
      const crashed = new Promise((resolve) => page.once('crash', resolve));
      // The renderer dies instead of answering.
      session.send('Page.crash').catch(() => {});
      await crashed;
    },
  };
}
