// A real browser on a profile folder, driven from Node. The tests call it; each engine has a driver of its own below this
// interface, so a test never knows which engine it runs in. It never asserts anything and never outlives its process group.
import { until, within } from './deadline.mjs';
import { ENGINE, engineOf } from './engines.mjs';
import { cpuTicks, signalOne, workerOf } from './processes.mjs';

const START_MS = 60_000;
const LOAD_MS = 30_000;
const RUN_MS = 60_000;

/** Process groups that must not survive this process, whatever ends it. */
const groups = new Set();
process.on('exit', () => groups.forEach(killGroup));
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => process.exit(1));
// A test runner that is killed tells its test files nothing.
const runner = process.ppid;
setInterval(() => process.ppid === runner || process.exit(1), 1_000).unref();

function killGroup(pid) {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}

/** Starts the browser. The same profile folder and the same server port give the same stored data again. `preciseClock`: Firefox's clock shows more than whole milliseconds. */
export async function launch({ profile, engine = ENGINE, preciseClock = false }) {
  const started = engineOf(engine).launch({ profile, preciseClock, onSpawn: (pid) => groups.add(pid) });
  return new Browser(await within(START_MS, `${engine} starting`, started));
}

class Browser {
  #process;
  tabs = [];

  constructor(process) {
    this.#process = process;
  }

  /** Opens a page and waits for its `load` event. */
  async newTab(url) {
    const page = await within(LOAD_MS, `a new tab for ${url}`, this.#process.newPage());
    const tab = new Tab(page, url);
    this.tabs.push(tab);
    await within(LOAD_MS, `loading ${url}`, page.goto(url));
    return tab;
  }

  /** SIGKILL to every process of the browser at once: nothing in it gets a chance to finish. */
  async kill9() {
    killGroup(this.#process.pid);
    await within(LOAD_MS, 'the killed browser to be gone', this.#process.exited);
    groups.delete(this.#process.pid);
  }

  /** The site's quota in bytes; undefined takes the limit away. Chromium only, as the next two. */
  async setQuota(origin, bytes) {
    await within(LOAD_MS, 'the quota to be set', this.#process.storage.quota(origin, bytes));
  }

  async clearSiteData(origin) {
    await within(LOAD_MS, 'the site data to be cleared', this.#process.storage.clear(origin));
  }

  async loseStorageConnections() {
    await within(LOAD_MS, 'the connections to be closed', this.#process.storage.loseConnections());
  }

  /** The process in which `work(ms)` is done, found by its CPU time: it must keep it busy for so long. */
  async processOf(work) {
    return workerOf(this.#process.pid, work);
  }

  /** SIGKILL to one process of the browser, which goes on without it. */
  async killProcess(pid) {
    signalOne(this.#process.pid, pid, 'SIGKILL');
    await until(LOAD_MS, `process ${pid} to be gone`, async () => !cpuTicks(this.#process.pid).has(pid));
  }

  /** One process stands still, as one that the system gives no time: nothing in it is told. */
  stopProcess(pid) {
    signalOne(this.#process.pid, pid, 'SIGSTOP');
  }

  continueProcess(pid) {
    signalOne(this.#process.pid, pid, 'SIGCONT');
  }

  /** The processes of the browser, stopped ones too: none, once it is closed. */
  get processes() {
    return [...cpuTicks(this.#process.pid).keys()];
  }

  /** Quits as a user does; what does not quit in time is killed. */
  async close() {
    await within(LOAD_MS, 'the browser to quit', this.#process.quit()).catch(() => {});
    await this.kill9();
  }
}

/** An error thrown in the page, with the fields of a HubError where it was one. */
export class PageError extends Error {
  constructor({ message, stack, ...fields }) {
    super(message);
    this.inPage = stack;
    Object.assign(this, fields);
  }
}

class Tab {
  #page;
  /** Whether it was closed by the test. */
  isClosed = false;

  constructor(page, url) {
    this.#page = page;
    this.url = url;
  }

  /** What the page wrote to its console, for the report of a failed test. */
  get console() {
    return this.#page.console;
  }

  /**
   * Runs `fn(argument)` in the page and returns its value. `fn` travels as source text, so it sees only its argument and
   * the page's globals; BigInt, Uint8Array and undefined come back as they were.
   */
  async run(fn, argument = null, ms = RUN_MS) {
    const call = this.#page.evaluate(`harness.call(${fn}, ${JSON.stringify(argument)})`);
    const { value, error } = JSON.parse(await within(ms, `${this.url} running ${fn.name || String(fn).slice(0, 120)}`, call), revive);
    if (error) throw new PageError(error);
    return value;
  }

  /** The same in a page that is not one of the tests: what comes back is JSON, and an error is the engine's own. */
  async ask(fn, argument = null, ms = RUN_MS) {
    const call = this.#page.evaluate(`(async () => JSON.stringify(await (${fn})(${JSON.stringify(argument)})))()`);
    const answer = await within(ms, `${this.url} running ${fn.name || String(fn).slice(0, 120)}`, call);
    return answer === undefined ? undefined : JSON.parse(answer);
  }

  async reload() {
    await within(LOAD_MS, `reloading ${this.url}`, this.#page.reload());
  }

  /** Goes to another page of the site; the browser may keep this one aside as it is. */
  async leave(url) {
    await within(LOAD_MS, `leaving ${this.url} for ${url}`, this.#page.goto(url));
  }

  /** Back to the page that was left: the very one, where the browser kept it, or a fresh one. The page's own history does it: commands reload. */
  async back() {
    this.#page.evaluate('setTimeout(() => history.back())').catch(() => {});
    await until(LOAD_MS, `going back to ${this.url}`, () => this.#isShown());
  }

  /** Between two documents there is nobody to ask. */
  async #isShown() {
    const shown = this.#page.evaluate("document.readyState === 'complete' && location.href").catch(() => false);
    return String(await shown).split('#')[0] === this.url;
  }

  async close() {
    await within(LOAD_MS, `closing ${this.url}`, this.#page.close());
    this.isClosed = true;
  }

  /**
   * The page gets its `freeze` event, and then no time any more. Chromium only; elsewhere `stopProcess` is as near as it gets. A page that is
   * seen is not frozen, which the engine does not say.
   */
  async freeze() {
    if (await this.run(() => document.visibilityState === 'visible')) throw new Error(`${this.url} is visible, and would not be frozen`);
    await within(LOAD_MS, `freezing ${this.url}`, this.#page.setLifecycle('frozen'));
  }

  async thaw() {
    await within(LOAD_MS, `thawing ${this.url}`, this.#page.setLifecycle('active'));
  }

  /** A long task: the page's own thread does nothing else for `ms`. Resolves when it is over. */
  async block(ms) {
    await this.run(spin, ms, ms + RUN_MS);
  }

  /** Kills the page's renderer process without a word to the page. */
  async crash() {
    await within(LOAD_MS, `crashing ${this.url}`, this.#page.crash());
  }
}

/* Runs in the page. */
function spin(ms) {
  for (const end = performance.now() + ms; performance.now() < end; );
}

/** The other half of `pack` in pages/harness.js. */
function revive(_key, value) {
  if (value === null || typeof value !== 'object') return value;
  if ('$bigint' in value) return BigInt(value.$bigint);
  if ('$bytes' in value) return Uint8Array.from(Buffer.from(value.$bytes, 'base64'));
  if ('$number' in value) return Number(value.$number);
  return value;
}
