/**
 * The ES module's entry: everything public, and nothing else. It becomes `dist/tabhub.js`.
 *
 * @module tabhub
 */
import { browserEnvironment } from './browser.js';
import type { Database } from './client.js';
import type { Inspector } from './inspect.js';
import { deleteDatabase as deleteIn, inspectDatabase, openDatabase, type HubFiles } from './open.js';
import type { InspectOptions, OpenOptions } from './options.js';

export type { Change, ChangeFilter, ChangeKind, TableChange } from './changes.js';
export type { BackupTarget } from './backup.js';
export type { ApplyResult, Changeset, Conflict, KeepOptions } from './changesets.js';
export type { CheckResult } from './check.js';
export type { Database } from './client.js';
export { HubError, type HubErrorCode, type Outcome } from './errors.js';
export type { DatabaseEvents } from './events.js';
export type { Found } from './found.js';
export type { Difference } from './difference.js';
export type { HubState, InspectedLatency, InspectedLive, InspectedLogLine, InspectedRequest, InspectedSession, InspectedTransaction, Inspector, RequestState } from './inspect.js';
export type { LiveObserver, LiveQuery, Unsubscribe } from './live.js';
export type { Migration } from './migrations.js';
export type {
  ApplyOptions, BigIntMode, CallOptions, CheckLevel, CheckOptions, CheckProgress, Durability, InspectOptions, LiveOptions, LogEvent, OpenOptions, QueryOptions, RowOptions, TransactionMode, TransactionOptions, TransferOptions, WriteOptions,
} from './options.js';
export type { StorageState } from './protocol.js';
export type { BatchStatement } from './queries.js';
export { estimate, persist, type PersistOptions, type Persisted, type StorageEstimate } from './quota.js';
export type { Column, ObjectRow, QueryResult, RunResult } from './rows.js';
export type { Failover, Outdated, State, Status } from './status.js';
export type { Statement } from './statement.js';
export { databases } from './stored.js';
export type { Transaction } from './transaction.js';
export type { Mode, Role } from './transport/route.js';
export type { ImportSource, Salvage } from './transfer.js';
export type { Bindable, Params, SqlValue } from './values.js';
export { BUILD as version } from './version.js';

/** A bundler finds the two files by these very words, emits them under names of its own and puts those here, some bundlers as a path alone. */
function filesBeside(): HubFiles {
  try {
    return { workerUrl: new URL('./hub.js', import.meta.url).href, wasmUrl: new URL('./hub.wasm', import.meta.url).href };
  } catch {
    // Bundled into a classic script, which has no `import.meta.url`.
    return {};
  }
}

/**
 * Opens the database `name` of this origin, shared by all its tabs; it is created if there is none.
 *
 * @throws {HubError} `HUB_LOAD_FAILED` or `HUB_LOAD_TIMEOUT` (within 10 s, naming the URL); `HUB_UNSUPPORTED`; `HUB_STORAGE_UNAVAILABLE`;
 *   `HUB_OUTDATED`; `HUB_UNREACHABLE`; `HUB_BAD_OPTION` for an option that is unknown or unfit.
 * @example
 * const db = await open('app.db');
 * await db.exec('CREATE TABLE IF NOT EXISTS note (id INTEGER PRIMARY KEY, body TEXT)');
 * const { lastInsertRowid } = await db.run('INSERT INTO note (body) VALUES (?)', ['hello']);
 */
export function open(name: string, options?: OpenOptions): Promise<Database> {
  return openDatabase(browserEnvironment(), filesBeside(), name, options);
}

/**
 * Deletes the database `name` and everything stored for it, also while other tabs have it open: their calls fail with `HUB_DELETED`.
 * The options are `open`'s; the same `workerUrl`, `wasmUrl` and `mode` are to be given.
 *
 * @throws {HubError} as `open`; `HUB_STORAGE` where the browser does not let go of it.
 * @example await deleteDatabase('app.db');
 */
export function deleteDatabase(name: string, options?: OpenOptions): Promise<void> {
  return deleteIn(browserEnvironment(), filesBeside(), name, options);
}

/**
 * Looks into the hub of the database `name`, whatever page has it open: its tabs, what each has asked for and where that stands, open transactions,
 * live queries, how long answers take, its log; and stops what is stuck. The options are `open`'s; the same `workerUrl`, `wasmUrl` and `mode` are to be given.
 *
 * @throws {HubError} as `open`; `HUB_BAD_REQUEST` where this origin stores no such database.
 * @example
 * const inspector = await inspect('app.db');
 * console.table((await inspector.state()).requests);
 */
export function inspect(name: string, options?: InspectOptions): Promise<Inspector> {
  return inspectDatabase(browserEnvironment(), filesBeside(), name, options);
}
