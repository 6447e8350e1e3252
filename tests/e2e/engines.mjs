// Which browser engines there are, and which of them a test runs in. browser.mjs launches them; tests of more than one engine
// ask here. TABHUB_BROWSER names one engine for all tests; without it most run in Chromium alone.
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { launchChromium } from './chromium.mjs';
import { launchFirefox } from './firefox.mjs';
import { launchWebKit } from './webkit.mjs';

/** `launch({ profile, preciseClock, onSpawn })` → `{ pid, newPage(), quit(), exited }`; a page: `goto reload evaluate close crash console`, in Chromium `setLifecycle`. */
const ENGINES = {
  chromium: { programs: ['chromium'], launch: launchChromium },
  firefox: { programs: ['firefox-esr'], launch: launchFirefox },
  webkit: { programs: ['WebKitWebDriver', 'Xvfb'], launch: launchWebKit },
};

const chosen = process.env.TABHUB_BROWSER;
if (chosen !== undefined) engineOf(chosen);

/** The engine of a test that is written for one. */
export const ENGINE = chosen ?? 'chromium';

/** The engines of a test that is written for all: `{ engine, skip }`, where `skip` is the reason why it cannot run. */
export const EVERY_ENGINE = (chosen === undefined ? ['chromium', 'firefox'] : [chosen]).map(orSkipped);

/** The engines of the failovers, in which none can stand for another. */
export const ALL_ENGINES = (chosen === undefined ? Object.keys(ENGINES) : [chosen]).map(orSkipped);

/** The engine of webkit.test.mjs, which stands for those tests in WebKit: they run there when TABHUB_BROWSER asks for it. */
export const WEBKIT = orSkipped('webkit');

export function engineOf(name) {
  if (!Object.hasOwn(ENGINES, name)) throw new Error(`TABHUB_BROWSER=${name}: no such engine; choose one of ${Object.keys(ENGINES).join(', ')}`);
  return ENGINES[name];
}

function orSkipped(engine) {
  return { engine, skip: missing(engine) };
}

function missing(engine) {
  const folders = (process.env.PATH ?? '').split(delimiter);
  const wanted = engineOf(engine).programs.filter((program) => !folders.some((folder) => existsSync(join(folder, program))));
  return wanted.length === 0 ? false : `there is no ${wanted.join(' and no ')} on PATH; \`npm run setup -- --tests\` installs it`;
}
