/** Deletes what is stored for a database. Called by a worker whose hub has let go of it, and by a tab where no hub can open it. */
import { HubError } from './errors.js';
import { timer } from './timer.js';

/** Whatever else has it open is asked to let go of it. */
const DELETE_MS = 10_000;

/** Rejects with `HUB_STORAGE`. */
export function deleteStorage(database: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (why: string): void => reject(new HubError('HUB_STORAGE', `the database could not be deleted: ${why}`, { outcome: 'unknown' }));
    const stop = timer(DELETE_MS, () => failed(`something else has it open, and did not let go of it within ${DELETE_MS} ms`));
    const request = indexedDB.deleteDatabase(`tabhub:${database}`);
    request.onsuccess = () => { stop(); resolve(); };
    request.onerror = () => { stop(); failed(String(request.error)); };
  });
}
