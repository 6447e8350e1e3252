/** The classic script's entry: defines `globalThis.tabhub`, for pages without modules or bundler. It becomes `dist/tabhub.global.js`. */
import type { Database } from './client.js';
import { HubError } from './errors.js';
import { openDatabase } from './open.js';
import type { OpenOptions } from './options.js';
import { browserEnvironment } from './transport/shared-worker.js';
import { BUILD } from './version.js';

// A script knows its own URL only while it loads.
const script = globalThis.document?.currentScript;
const hubUrl = script instanceof HTMLScriptElement && script.src ? new URL('./hub.js', script.src).href : null;

const open = (name: string, options?: OpenOptions): Promise<Database> => openDatabase(browserEnvironment(), hubUrl, name, options);

Object.assign(globalThis, { tabhub: { open, HubError, version: BUILD } });
