/** What is stored for the databases of this origin: deleting it, and listing it. Called by a worker whose hub has let go of it, and by tabs. */
import { HubError } from './errors.js';
import { timer } from './timer.js';

/** Whatever else has it open is asked to let go of it. */
const DELETE_MS = 10_000;

/** Before the name of a database, in IndexedDB: as the hub has it. */
const PREFIX = 'tabhub:';

/** Rejects with `HUB_STORAGE`. */
export function deleteStorage(database: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (why: string): void => reject(new HubError('HUB_STORAGE', `the database could not be deleted: ${why}`, { outcome: 'unknown' }));
    const stop = timer(DELETE_MS, () => failed(`something else has it open, and did not let go of it within ${DELETE_MS} ms`));
    const request = indexedDB.deleteDatabase(PREFIX + database);
    request.onsuccess = () => { stop(); resolve(); };
    request.onerror = () => { stop(); failed(String(request.error)); };
  });
}

/**
 * The names of all databases of this origin, sorted.
 *
 * @throws {HubError} `HUB_UNSUPPORTED` where the browser cannot list them.
 * @example for (const name of await databases()) show(name);
 */
export async function databases(): Promise<string[]> {
  if (typeof globalThis.indexedDB?.databases !== 'function') throw new HubError('HUB_UNSUPPORTED', 'this browser cannot list its databases (no indexedDB.databases)');
  const all = await indexedDB.databases();
  return all.flatMap(({ name = '' }) => name.startsWith(PREFIX) ? [name.slice(PREFIX.length)] : []).sort();
}
