/** Which databases this origin has. Called by `database.ts`. */
import { HubError } from '../index.js';

/** As `delete-storage.ts` and the hub name them. */
const PREFIX = 'tabhub:';

/** The names of all databases of this origin, sorted. Rejects with `HUB_UNSUPPORTED` where the browser cannot list them. */
export async function databases(): Promise<string[]> {
  if (typeof indexedDB.databases !== 'function') throw new HubError('HUB_UNSUPPORTED', 'this browser cannot list its databases (no indexedDB.databases)');
  const all = await indexedDB.databases();
  return all.flatMap(({ name = '' }) => name.startsWith(PREFIX) ? [name.slice(PREFIX.length)] : []).sort();
}
