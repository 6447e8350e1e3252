// Which browser engines there are, and which of them a test runs in. browser.mjs launches them; tests of more than one engine
// ask here. TABHUB_BROWSER names one engine for all tests; without it most run in Chromium alone.
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { launchChromium } from './chromium.mjs';
import { launchFirefox } from './firefox.mjs';

/** `launch({ profile, onSpawn })` → `{ pid, newPage(), quit(), exited }`; a page: `goto reload evaluate close crash console`. */
const ENGINES = {
  chromium: { program: 'chromium', launch: launchChromium },
  firefox: { program: 'firefox-esr', launch: launchFirefox },
};

const chosen = process.env.TABHUB_BROWSER;
if (chosen !== undefined) engineOf(chosen);

/** The engine of a test that is written for one. */
export const ENGINE = chosen ?? 'chromium';

/** The engines of a test that is written for all: `{ engine, skip }`, where `skip` is the reason why it cannot run. */
export const EVERY_ENGINE = (chosen === undefined ? Object.keys(ENGINES) : [chosen]).map((engine) => ({ engine, skip: missing(engine) }));

export function engineOf(name) {
  if (!Object.hasOwn(ENGINES, name)) throw new Error(`TABHUB_BROWSER=${name}: no such engine; choose one of ${Object.keys(ENGINES).join(', ')}`);
  return ENGINES[name];
}

function missing(engine) {
  const { program } = engineOf(engine);
  const there = (process.env.PATH ?? '').split(delimiter).some((folder) => existsSync(join(folder, program)));
  return there ? false : `there is no ${program} on PATH; \`npm run setup -- --tests\` installs it`;
}
