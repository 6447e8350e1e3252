/** The classic script's entry: defines `globalThis.tabhub`, for pages without modules or bundler. It becomes `dist/tabhub.global.js`. */
import { browserEnvironment } from './browser.js';
import { HubError } from './errors.js';
import { deleteDatabase, inspectDatabase, openDatabase } from './open.js';
import type { InspectOptions, OpenOptions } from './options.js';
import { estimate, persist } from './quota.js';
import { databases } from './stored.js';
import { BUILD } from './version.js';

// A script knows its own URL only while it loads.
const script = globalThis.document?.currentScript;
const files = script instanceof HTMLScriptElement && script.src ? { workerUrl: new URL('./hub.js', script.src) } : {};

Object.assign(globalThis, {
  tabhub: {
    open: (name: string, options?: OpenOptions) => openDatabase(browserEnvironment(), files, name, options),
    deleteDatabase: (name: string, options?: OpenOptions) => deleteDatabase(browserEnvironment(), files, name, options),
    inspect: (name: string, options?: InspectOptions) => inspectDatabase(browserEnvironment(), files, name, options),
    databases,
    estimate,
    persist,
    HubError,
    version: BUILD,
  },
});
