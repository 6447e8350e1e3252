// The driver for Firefox, over WebDriver BiDi. Only browser.mjs calls it. It never waits with a deadline of its own beyond the
// start: its caller does that.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connectBidi } from './bidi.mjs';

const FLAGS = ['--headless', '--no-remote', '--remote-debugging-port=0'];
const ENDPOINT = /WebDriver BiDi listening on (ws:\/\/\S+)/;

/** A browser that starts clean after a kill, asks nobody anything, gives each tab of one site a process, and lets hidden tabs work. */
const PREFS = {
  'remote.active-protocols': 1,
  'dom.ipc.processCount': 16,
  'dom.ipc.processCount.webIsolated': 16,
  'dom.min_background_timeout_value_without_budget_throttling': 4,
  'dom.timeout.enable_budget_timer_throttling': false,
  'dom.disable_beforeunload': true,
  'toolkit.startup.max_resumed_crashes': -1,
  'browser.sessionstore.resume_from_crash': false,
  'browser.shell.checkDefaultBrowser': false,
  'browser.startup.page': 0,
  'browser.startup.homepage_override.mstone': 'ignore',
  'browser.aboutwelcome.enabled': false,
  'browser.newtabpage.enabled': false,
  'browser.safebrowsing.malware.enabled': false,
  'browser.safebrowsing.phishing.enabled': false,
  'app.update.disabledForTesting': true,
  'datareporting.policy.dataSubmissionEnabled': false,
  'toolkit.telemetry.enabled': false,
  'extensions.getAddons.cache.enabled': false,
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
  'services.settings.server': 'data:,#remote-settings-dummy/v1',
};

/** The page's clock shows more than whole milliseconds. */
const PRECISE_CLOCK = { 'privacy.reduceTimerPrecision': false };

export async function launchFirefox({ profile, preciseClock, onSpawn }) {
  mkdirSync(profile, { recursive: true });
  const prefs = Object.entries({ ...PREFS, ...(preciseClock && PRECISE_CLOCK) }).map(([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});\n`);
  writeFileSync(join(profile, 'user.js'), prefs.join(''));
  const child = spawnBrowser(profile);
  const exited = once(child, 'exit');
  await once(child, 'spawn');
  onSpawn(child.pid);
  const bidi = await connectBidi(`${await endpoint(child, profile)}/session`);
  child.once('exit', () => bidi.close());
  await bidi.send('session.new', { capabilities: {} });
  const consoles = await listen(bidi);
  return {
    pid: child.pid,
    exited,
    newPage: async () => newPage(bidi, consoles),
    async quit() {
      await bidi.send('browser.close').catch(() => {});
      await exited;
    },
  };
}

/** Detached: the browser leads a process group, so one signal reaches all its processes. */
function spawnBrowser(profile) {
  const env = { ...process.env, MOZ_CRASHREPORTER_DISABLE: '1' };
  const child = spawn('firefox-esr', [...FLAGS, '--profile', profile, 'about:blank'], { detached: true, stdio: ['ignore', 'ignore', 'pipe'], env });
  child.stderr.pipe(createWriteStream(join(profile, 'stderr.log'), { flags: 'a' }));
  return child;
}

/** Firefox says on stderr where it listens. */
function endpoint(child, profile) {
  return new Promise((resolve, reject) => {
    let said = '';
    child.once('exit', (code) => reject(new Error(`firefox exited with ${code}; see ${join(profile, 'stderr.log')}`)));
    child.stderr.on('data', function read(text) {
      said += text;
      const found = ENDPOINT.exec(said);
      if (!found) return;
      child.stderr.off('data', read);
      resolve(found[1]);
    });
  });
}

/** The lines that each page writes to its console, by the page's context. */
async function listen(bidi) {
  const consoles = new Map();
  bidi.on('log.entryAdded', ({ type, level, text, source }) => {
    consoles.get(source.context)?.push(type === 'javascript' ? `uncaught: ${text}` : `${level}: ${text}`);
  });
  await bidi.send('session.subscribe', { events: ['log.entryAdded'] });
  return consoles;
}

async function newPage(bidi, consoles) {
  const { context } = await bidi.send('browsingContext.create', { type: 'tab' });
  const lines = [];
  consoles.set(context, lines);
  return {
    console: lines,
    goto: (url) => bidi.send('browsingContext.navigate', { context, url, wait: 'complete' }),
    reload: () => bidi.send('browsingContext.reload', { context, wait: 'complete' }),
    evaluate: (source) => evaluate(bidi, context, source),
    close: () => bidi.send('browsingContext.close', { context }),
    crash: async () => {
      throw new Error('Firefox crashes no page by command; processes.mjs finds and kills its process');
    },
  };
}

/** `source` must give a string, or a promise of one. */
async function evaluate(bidi, context, source) {
  const answer = await bidi.send('script.evaluate', { expression: source, target: { context }, awaitPromise: true });
  if (answer.type === 'exception') throw new Error(`in the page: ${answer.exceptionDetails.text}`);
  return answer.result.value;
}
