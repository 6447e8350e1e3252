/** What the browser lets this origin store, and for how long. Browsers' own words, with a deadline and named outcomes. */
import { HubError } from './errors.js';
import { KNOWN, checkOptions } from './options.js';
import { timer } from './timer.js';

/** A person who is asked may take a while. */
const PERSIST_MS = 5_000;

/**
 * `persistent`: the browser deletes nothing of this origin by itself. `refused`: it may, when space is short, or, in Safari, after a week without
 * a visit. `undecided`: the person has not answered yet, or never will.
 */
export type Persisted = 'persistent' | 'refused' | 'undecided';

/** Of `persist`. */
export interface PersistOptions {
  /** The longest to wait for an answer, in ms. Default 5000. */
  timeout?: number;
}

/** What this origin may store, and what it has stored, in bytes, as far as the browser says. */
export interface StorageEstimate {
  /** Stored by this origin, its other data included. */
  usage: number;
  /** What it may store in all. */
  quota: number;
  /** Whether the browser has agreed not to delete it by itself. */
  isPersistent: boolean;
}

/**
 * Asks the browser not to delete what this origin stores. Chromium decides by itself, Firefox asks the person: call it after something that makes the
 * question plain, never before the first page is shown.
 *
 * @throws {HubError} `HUB_UNSUPPORTED` where the browser cannot be asked.
 * @example if (await persist() !== 'persistent') remindToBackUp();
 */
export async function persist(options?: PersistOptions): Promise<Persisted> {
  const { timeout = PERSIST_MS } = checkOptions(options, KNOWN.persist, 'persist');
  const storage = manager('persist');
  return new Promise((resolve, reject) => {
    const stop = timer(timeout, () => resolve('undecided'));
    storage.persist().then(isPersistent => { stop(); resolve(isPersistent ? 'persistent' : 'refused'); }, reject);
  });
}

/**
 * How much of its quota this origin uses. Browsers round, and some add noise.
 *
 * @throws {HubError} `HUB_UNSUPPORTED` where the browser does not tell.
 * @example const { usage, quota } = await estimate(); bar.value = usage / quota;
 */
export async function estimate(): Promise<StorageEstimate> {
  const storage = manager('estimate');
  const [{ usage = 0, quota = 0 }, isPersistent] = await Promise.all([storage.estimate(), storage.persisted()]);
  return { usage, quota, isPersistent };
}

function manager(method: 'persist' | 'estimate'): StorageManager {
  const storage = globalThis.navigator?.storage as StorageManager | undefined;
  if (typeof storage?.[method] === 'function') return storage;
  throw new HubError('HUB_UNSUPPORTED', `${method}: this browser has no navigator.storage.${method}() here`);
}
