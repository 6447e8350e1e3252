// The driver for WebKit: its MiniBrowser on a screen that nobody sees, because its automation mode stores nothing. Only
// browser.mjs calls it. It never waits with a deadline of its own beyond the start: its caller does that.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdirSync, openSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { BLANK, startAgents } from './agents.mjs';
import { sleep } from './deadline.mjs';
import { cpuTicks, signalOne, workerOf } from './processes.mjs';

const LIBRARIES = '/usr/lib';
const FLAGS = ['--javascript-can-open-windows-automatically=true', '--features=-HiddenPageDOMTimerThrottling'];

/**
 * The shell leads the process group. Xvfb picks a display that is free, says which, and ends with the browser, its only client:
 * so the shell ends when both have.
 */
const ON_A_SCREEN = 'Xvfb -displayfd 1 -terminate -nolisten tcp -screen 0 1280x1024x24 | { read -r display && DISPLAY=:$display exec "$0" "$@"; }';

export async function launchWebKit({ profile, onSpawn }) {
  const agents = await startAgents();
  // The first page opens the others.
  const opener = agents.add();
  const child = spawnBrowser(profile, opener.at(BLANK));
  const exited = allGone(child);
  child.once('exit', () => agents.close());
  await once(child, 'spawn');
  onSpawn(child.pid);
  await Promise.race([once(opener, 'load'), failure(child, profile)]);
  const pages = [];
  return {
    pid: child.pid,
    exited,
    async newPage() {
      const page = wrapPage(child.pid, opener, agents.add());
      pages.push(page);
      return page;
    },
    /** MiniBrowser ends with its last window. */
    async quit() {
      await Promise.all(pages.map((page) => page.close()));
      opener.tell('close()');
      await exited;
    },
  };
}

/** Detached: the shell leads a process group, so one signal reaches the browser's processes and the screen. */
function spawnBrowser(profile, url) {
  const env = { ...process.env, ...environment(profile) };
  const log = openSync(join(profile, 'stderr.log'), 'a');
  try {
    return spawn('sh', ['-c', ON_A_SCREEN, miniBrowser(), ...FLAGS, url], { detached: true, stdio: ['ignore', log, log], env });
  } finally {
    closeSync(log);
  }
}

/** MiniBrowser has no option for its profile: all it stores lies in these folders. They must be there before `stderr.log`. */
function environment(profile) {
  const folders = { HOME: 'home', XDG_DATA_HOME: 'data', XDG_CACHE_HOME: 'cache', XDG_CONFIG_HOME: 'config', XDG_RUNTIME_DIR: 'run' };
  const env = Object.entries(folders).map(([name, folder]) => [name, join(profile, folder)]);
  for (const [, path] of env) mkdirSync(path, { recursive: true, mode: 0o700 });
  return {
    ...Object.fromEntries(env),
    GDK_BACKEND: 'x11',
    // Nothing is to be seen, so no graphics card is to be looked for.
    WEBKIT_DISABLE_COMPOSITING_MODE: '1',
    // No session bus, and none started: it would outlive the group.
    DBUS_SESSION_BUS_ADDRESS: 'disabled:',
    NO_AT_BRIDGE: '1',
  };
}

/** Debian puts it on no PATH: it lies with the library, in a folder named after the architecture and one after the interface. */
function miniBrowser() {
  const within = (folder, name) => readdirSync(folder).filter((entry) => name.test(entry)).map((entry) => join(folder, entry));
  const folders = within(LIBRARIES, /-linux-gnu/).flatMap((folder) => within(folder, /^webkit2?gtk-/));
  const found = folders.map((folder) => join(folder, 'MiniBrowser')).find(existsSync);
  if (!found) throw new Error(`there is no MiniBrowser under ${LIBRARIES}; the package webkit2gtk-driver brings it`);
  return found;
}

/** The shell may be gone before the others: a browser on the same profile must not meet them. */
async function allGone(child) {
  await once(child, 'exit');
  while (cpuTicks(child.pid).size > 0) await sleep(10);
}

async function failure(child, profile) {
  const [code] = await once(child, 'exit');
  throw new Error(`webkit exited with ${code}; see ${join(profile, 'stderr.log')}`);
}

function wrapPage(group, opener, agent) {
  return {
    console: agent.lines,
    async goto(url) {
      const loaded = once(agent, 'load');
      const address = JSON.stringify(agent.at(url));
      if (agent.isThere) agent.tell(`location.assign(${address})`);
      // Without an opener the page gets a process of its own, as a tab that a user opens does.
      else await opener.evaluate(`open(${address}, '_blank', 'noopener')`);
      await loaded;
    },
    async reload() {
      const loaded = once(agent, 'load');
      agent.tell('location.reload()');
      await loaded;
    },
    evaluate: (source) => agent.evaluate(source),
    async close() {
      if (!agent.isThere) return;
      const gone = once(agent, 'gone');
      agent.tell('close()');
      await gone;
    },
    /** No command does it, but the page's process shows itself by working. */
    async crash() {
      const gone = once(agent, 'gone');
      signalOne(group, await workerOf(group, (ms) => agent.evaluate(`for (const end = Date.now() + ${ms}; Date.now() < end; );`)), 'SIGKILL');
      await gone;
    },
  };
}
