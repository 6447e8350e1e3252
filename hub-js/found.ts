/**
 * What a session found when it opened its database. A browser that runs out of space, or Safari after a week, deletes IndexedDB without a word; a
 * note in localStorage, where it survives, tells that from a database which is new. Called by `session.ts` and `open.ts`.
 */
import type { Environment } from './environment.js';

/**
 * `stored`: what was stored before. `new`: nothing, and nothing is known to have been there. `lost`: nothing, although this browser knows that there
 * was a database: the browser or the person has deleted it. Where localStorage is deleted with it, that is `new`.
 */
export type Found = 'stored' | 'new' | 'lost';

type Notes = Environment['storage'];

const keyOf = (database: string): string => `tabhub:${database}:found`;

/** `epoch` and `commit` as the welcome has them: the first hub of a database is in epoch 1. The note is the hub's id. */
export function find(notes: Notes, database: string, { hub, epoch, commit }: { hub: string; epoch: number; commit: number }): Found {
  const key = keyOf(database);
  const noted = notes?.getItem(key);
  write(notes, key, hub);
  if (epoch > 1 || commit > 0) return 'stored';
  return noted && noted !== hub ? 'lost' : 'new';
}

/** The database is deleted on purpose. */
export function forget(notes: Notes, database: string): void {
  write(notes, keyOf(database), '');
}

/** A full localStorage costs the note, nothing else. */
function write(notes: Notes, key: string, value: string): void {
  try {
    notes?.setItem(key, value);
  } catch {
    // It is only missed if the database is, too.
  }
}
