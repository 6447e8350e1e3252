/**
 * What commits changed, for those who carry it elsewhere and bring back what others changed: changesets of SQLite's session extension, kept by the
 * hub with each commit. Called by `client.ts` and `queries.ts`.
 */
import { HubError } from './errors.js';
import { expect } from './exchange.js';
import { KNOWN, checkOptions, type CallOptions } from './options.js';
import type { Session } from './session.js';

/** What one commit changed. */
export interface Changeset {
  /** Its number; pass the last one to `changes()` to go on after it. */
  commit: number;
  /** In the format of SQLite's session extension: `apply()` takes it, and so does any SQLite. Empty where no row was changed that it could tell of. */
  changeset: Uint8Array;
  /** The schema was changed as well, or may have been, which no changeset tells. */
  schema: boolean;
  /** It was made by `apply()`, or in a transaction with it: whoever sends changes to where it came from leaves it out. */
  applied: boolean;
}

/** A change that did not fit the data, and what became of it. */
export interface Conflict {
  /** The table that the row is in. */
  table: string;
  /** The row's PRIMARY KEY, as text. */
  key: string;
  /** What was to be done to the row. */
  operation: 'insert' | 'update' | 'delete';
  /** Why it did not fit, for example `the row was changed`. */
  reason: string;
  /** Whether it was left out, or won over what was there. */
  resolution: 'omitted' | 'replaced';
}

/** What `apply()` did. */
export interface ApplyResult {
  /** Rows inserted, updated or deleted, triggers and foreign keys included. */
  changes: number;
  /** The first 1,000 of them. */
  conflicts: Conflict[];
}

/** How much is kept. */
export interface KeepOptions extends CallOptions {
  /** Of how many commits, the newest: at least. 0: of none, and what is kept is deleted. */
  commits: number;
}

export async function keepChanges(session: Session, options: KeepOptions): Promise<number> {
  const { commits, signal, timeout } = checkOptions(options, KNOWN.keepChanges, 'keepChanges');
  if (commits === undefined) throw new HubError('HUB_BAD_OPTION', "keepChanges: option 'commits' must be given");
  return (await session.request('kept', { keep: { commits } }, [], { what: 'keepChanges', writes: false, signal, timeout })).answer.commit;
}

/** So many hubs may die one after the other without a change in between. */
const LOSSES_MAX = 3;

/** Goes on with the next hub where one dies: what is kept is stored. */
export async function* readChanges(session: Session, since: number, options?: CallOptions): AsyncGenerator<Changeset, void, undefined> {
  const { signal, timeout } = checkOptions(options, KNOWN.call, 'changes');
  if (!Number.isSafeInteger(since) || since < 0) throw new HubError('HUB_BAD_REQUEST', 'changes: the number of a commit must be given, as keepChanges() or an earlier change told it');
  const about = { what: 'changes', writes: false, stream: true, signal, timeout };
  for (let known = since, losses = 0; ;) {
    const exchange = session.exchange({ changesets: { since: known } }, [], about);
    try {
      for (;;) {
        const reply = await exchange.next();
        const { end, ...change } = expect('changeset', reply, about);
        if (end) return;
        // In a bundle it shares its buffer with other replies.
        yield { ...change, changeset: reply.payload.slice() };
        known = change.commit;
        losses = 0;
        exchange.pull();
      }
    } catch (error) {
      if (!(error instanceof HubError) || error.code !== 'HUB_LOST' || session.isOver || ++losses > LOSSES_MAX) throw error;
    } finally {
      exchange.abandon();
    }
  }
}
