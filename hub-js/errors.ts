/**
 * The one error type of tabhub. Every public call rejects with a `HubError` and nothing else (a transaction's callback apart:
 * what it throws comes back as it is). Used by every file of the client; it never decides what to do about an error.
 */
import type { Outcome, WireError } from './protocol.js';

export type { Outcome };

/** tabhub's own codes. SQLite's errors keep the name of their extended code, for example `SQLITE_CONSTRAINT_UNIQUE`. */
export type HubErrorCode =
  | 'HUB_BAD_REQUEST' | 'HUB_BAD_OPTION' | 'HUB_BAD_VALUE' | 'HUB_CLOSED' | 'HUB_LOST' | 'HUB_LOAD_FAILED' | 'HUB_LOAD_TIMEOUT'
  | 'HUB_UNSUPPORTED' | 'HUB_PROTOCOL' | 'HUB_TIMEOUT' | 'HUB_CANCELLED' | 'HUB_TRANSACTION_TIMEOUT' | 'HUB_TRANSACTION_LOST'
  | 'HUB_TRANSACTION_CLOSED' | 'HUB_TRANSACTION_NESTED' | 'HUB_TRANSACTION_CONTROL' | 'HUB_REFUSED' | 'HUB_CONFLICT' | 'HUB_CHANGES_GONE' | 'HUB_NOT_A_DATABASE'
  | 'HUB_FENCED' | 'HUB_REPLACED' | 'HUB_DELETED' | 'HUB_OUTDATED' | 'HUB_UNREACHABLE' | 'HUB_POISONED' | 'HUB_CORRUPT' | 'HUB_STORAGE' | 'HUB_STORAGE_UNAVAILABLE' | 'HUB_PANICKED' | 'HUB_FORMAT'
  | 'HUB_MIGRATION_FAILED' | 'HUB_SCHEMA_NEWER' | 'HUB_LIMIT' | 'HUB_SESSION_EVICTED' | 'HUB_REPLY_DROPPED' | `SQLITE_${string}`;

interface Details {
  outcome?: Outcome | undefined;
  sqlite?: number | undefined;
  sql?: string | undefined;
  offset?: number | undefined;
  index?: number | undefined;
  cause?: unknown;
}

/**
 * Why a call failed, and what became of its work.
 *
 * @example
 * try { await db.run('INSERT INTO user VALUES (?)', [name]) }
 * catch (error) { if (error instanceof HubError && error.code === 'SQLITE_CONSTRAINT_UNIQUE') return 'taken'; throw error }
 */
export class HubError extends Error {
  /** Always the same, also where the class is another copy of it. */
  override readonly name = 'HubError';
  /** Stable; switch on this, never on the message. */
  readonly code: HubErrorCode;
  /**
   * `unknown` only when the hub died, or fell silent, with a write under way, and no other could tell. `applied` when the work was done
   * and only its reply is missing, as `HUB_REPLY_DROPPED` says: do not repeat it.
   */
  readonly outcome: Outcome;
  /** SQLite's extended result code. */
  declare readonly sqlite?: number;
  /** The SQL at fault. */
  declare readonly sql?: string;
  /** Where in `sql` the error lies: a byte offset into its UTF-8 form. */
  declare readonly offset?: number;
  /** The failing statement of a batch, counted from 0. */
  declare readonly index?: number;

  /** @internal */
  constructor(code: HubErrorCode, message: string, details: Details = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.outcome = details.outcome ?? 'not-applied';
    if (details.sqlite !== undefined) this.sqlite = details.sqlite;
    if (details.sql !== undefined) this.sql = details.sql;
    if (details.offset !== undefined) this.offset = details.offset;
    if (details.index !== undefined) this.index = details.index;
  }
}

/** An error the hub sent. `sql` is the request's own text, for the errors that do not carry one. */
export function fromWire(error: WireError, sql?: string): HubError {
  return new HubError(error.code as HubErrorCode, error.message, { ...error, sql: error.sql ?? sql });
}

/** The message of anything that can be thrown. */
export function reason(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
