/** From a name and options to an open database. Called by the two entries, `index.ts` and `global.ts`, and by the tests. */
import { Database } from './client.js';
import type { Environment } from './environment.js';
import { HubError, reason } from './errors.js';
import { Events } from './events.js';
import { KNOWN, checkOptions, type OpenOptions } from './options.js';
import { Session } from './session.js';
import { isWellFormed } from './values.js';

/** `defaultWorkerUrl` is `hub.js` beside the client's own script; null where a script cannot know its own URL. */
export async function openDatabase(env: Environment, defaultWorkerUrl: string | null, name: string, options?: OpenOptions): Promise<Database> {
  if (typeof name !== 'string' || name === '' || !isWellFormed(name)) {
    throw new HubError('HUB_BAD_REQUEST', 'open: the name of the database must be a string, not empty and well-formed');
  }
  const { persistence = 'required', durability = 'strict', cacheBytes, cacheBlocks, workerUrl, wasmUrl, onLog } = checkOptions(options, KNOWN.open, 'open');
  if (cacheBytes !== undefined && cacheBlocks !== undefined) {
    throw new HubError('HUB_BAD_OPTION', "open: give one of 'cacheBytes' and 'cacheBlocks', not both");
  }
  const worker = workerUrl ?? defaultWorkerUrl;
  if (!worker) throw new HubError('HUB_BAD_OPTION', "open: this script does not know where it was loaded from; give 'workerUrl', the URL of hub.js");
  const url = resolve(worker, 'workerUrl', env);
  if (wasmUrl !== undefined) url.searchParams.set('wasm', resolve(wasmUrl, 'wasmUrl', env).href);
  const cache = { ...cacheBytes !== undefined && { cache_bytes: cacheBytes }, ...cacheBlocks !== undefined && { cache_blocks: cacheBlocks } };
  const events = new Events();
  if (onLog) events.on('log', onLog);
  const session = await Session.open(env, { database: name, url: url.href, persistence, durability, cache }, events);
  return new Database(name, session, events);
}

function resolve(url: string | URL, option: string, env: Environment): URL {
  try {
    return new URL(url, env.baseUrl);
  } catch (cause) {
    throw new HubError('HUB_BAD_OPTION', `open: option '${option}' is no URL: ${reason(cause)}`, { cause });
  }
}
