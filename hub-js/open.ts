/** From a name and options to an open database, or to none any more. Called by the two entries, `index.ts` and `global.ts`, and by the tests. */
import { Database } from './client.js';
import type { Environment } from './environment.js';
import { HubError, reason } from './errors.js';
import { Events } from './events.js';
import { forget } from './found.js';
import { Inspector } from './inspect.js';
import { migrate } from './migrations.js';
import { KNOWN, checkOptions, type InspectOptions, type OpenOptions } from './options.js';
import { Session, type SessionOptions } from './session.js';
import { isWellFormed } from './values.js';

/** Where the client's own script finds hub.js and hub.wasm: what counts where the options say nothing. Nothing, where a script cannot know its own URL. */
export type HubFiles = Pick<OpenOptions, 'workerUrl' | 'wasmUrl'>;

export async function openDatabase(env: Environment, files: HubFiles, name: string, options?: OpenOptions): Promise<Database> {
  const { sessionOptions, migrations, onLog, onOutdated } = checkOpen(env, files, name, options, 'open');
  const events = new Events();
  if (onLog) events.on('log', onLog);
  if (onOutdated) events.on('outdated', onOutdated);
  const db = new Database(name, await Session.open(env, sessionOptions, events), events);
  try {
    if (migrations) await migrate(db, migrations);
    return db;
  } catch (error) {
    await db.close();
    throw error;
  }
}

/** See `deleteDatabase` in `index.ts`. */
export async function deleteDatabase(env: Environment, files: HubFiles, name: string, options?: OpenOptions): Promise<void> {
  const { sessionOptions } = checkOpen(env, files, name, options, 'deleteDatabase');
  const about = { what: 'deleteDatabase', writes: false };
  try {
    const session = await Session.open(env, sessionOptions, new Events());
    await session.request('done', { destroy: {} }, [], about).finally(() => session.close());
  } catch (error) {
    const { code } = error as HubError;
    if (code === 'HUB_DELETED') return forget(env.storage, name);
    // No hub can open it, so none holds it either.
    if (code !== 'HUB_CORRUPT' && code !== 'HUB_FORMAT') throw error;
    await env.deleteStorage(name);
    forget(env.storage, name);
  }
}

/** See `inspect` in `index.ts`. */
export async function inspectDatabase(env: Environment, files: HubFiles, name: string, options?: InspectOptions): Promise<Inspector> {
  const { sessionOptions, onLog } = checkOpen(env, files, name, options, 'inspect', KNOWN.inspect);
  // A browser that cannot list them has to be believed.
  const stored = await env.databases().catch(() => [name]);
  if (!stored.includes(name)) {
    throw new HubError('HUB_BAD_REQUEST', `inspect: this origin stores no database '${name}'; it stores ${stored.map(known => `'${known}'`).join(', ') || 'none'}`);
  }
  const events = new Events();
  if (onLog) events.on('log', onLog);
  // Also one that is in memory only.
  return new Inspector(name, await Session.open(env, { ...sessionOptions, persistence: 'preferred' }, events), events);
}

function checkOpen(env: Environment, files: HubFiles, name: string, options: OpenOptions | undefined, caller: string, known: typeof KNOWN.open | typeof KNOWN.inspect = KNOWN.open) {
  if (typeof name !== 'string' || name === '' || !isWellFormed(name)) {
    throw new HubError('HUB_BAD_REQUEST', `${caller}: the name of the database must be a string, not empty and well-formed`);
  }
  const { mode = 'auto', persistence = 'required', durability = 'strict', trace = false, cacheBytes, cacheBlocks, migrations, workerUrl = files.workerUrl, wasmUrl = options?.workerUrl ? undefined : files.wasmUrl, onLog, onOutdated } = checkOptions(options, known, caller);
  if (cacheBytes !== undefined && cacheBlocks !== undefined) {
    throw new HubError('HUB_BAD_OPTION', `${caller}: give one of 'cacheBytes' and 'cacheBlocks', not both`);
  }
  if (env.missing) throw new HubError('HUB_UNSUPPORTED', `tabhub cannot run here: ${env.missing}`);
  if (!workerUrl) throw new HubError('HUB_BAD_OPTION', `${caller}: this script does not know where it was loaded from; give 'workerUrl', the URL of hub.js`);
  const url = resolve(workerUrl, 'workerUrl', env, caller);
  const wasm = wasmUrl && resolve(wasmUrl, 'wasmUrl', env, caller).href;
  // Beside hub.js it is found without a word; a development server may take a script's URL that ends in .wasm for something else.
  if (wasm && wasm !== url.href.replace(/[^/]*$/, 'hub.wasm')) url.searchParams.set('wasm', wasm);
  const cache = { ...cacheBytes !== undefined && { cache_bytes: cacheBytes }, ...cacheBlocks !== undefined && { cache_blocks: cacheBlocks } };
  const sessionOptions: SessionOptions = { database: name, url: url.href, mode, persistence, durability, trace, cache };
  return { sessionOptions, migrations, onLog, onOutdated };
}

function resolve(url: string | URL, option: string, env: Environment, caller: string): URL {
  try {
    return new URL(url, env.baseUrl);
  } catch (cause) {
    throw new HubError('HUB_BAD_OPTION', `${caller}: option '${option}' is no URL: ${reason(cause)}`, { cause });
  }
}
