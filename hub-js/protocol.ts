/**
 * The port protocol between a tab (client) and the hub, as types. The Rust side of the same contract is `src/wire`;
 * `tests/wire_golden/*.json` holds frames that both sides must read and write alike.
 *
 * A message is one ArrayBuffer. A frame: `u32 LE header length | header (JSON, UTF-8) | padding to 8 | payload`.
 * The header is a `Request` (tab → hub) or a `Response` (hub → tab). The payload is empty, raw bytes, or a
 * sequence of value blocks (parameters, rows); each block starts 8-byte aligned and describes its own length:
 *
 *     u32 count | u32 numbers | u32 slices | u32 heapBytes | u32 blobBytes | u32 reserved (0)
 *     u8  type[count]                 0 null, 1 integer (f64 slot, |x| ≤ 2^53−1), 2 integer (i64 slot), 3 real (f64 slot), 4 text, 5 blob
 *     pad to 8 | 8-byte slot[numbers] for types 1, 2, 3 in order, little-endian
 *     u32 length[slices]              for types 4, 5 in order: bytes for blobs; for text UTF-8 bytes tab → hub, UTF-16 code units hub → tab
 *     heap[heapBytes]                 all texts, UTF-8      blobs[blobBytes]      all blobs      pad to 8
 *
 * Rows are row-major: count = rows × columns.
 *
 * A message is a frame, or a bundle of at least two, each way: what one task has to say goes as one message, unless a frame is large. A
 * header is never empty, so the 0 tells a bundle from a frame. Frames count in their order, as if each had come by itself:
 *
 *     u32 0 | u32 count | u32 length[count] | pad to 8 | frames, each padded to 8
 */
export const PROTOCOL_VERSION = 7;

/** What a worker is called: tabs of another protocol must not find it. For what generations are see `transport/shared.ts`. */
export function workerName(database: string, generation: number): string {
  return `tabhub/${PROTOCOL_VERSION}/${generation}:${database}`;
}

/** How long a worker whose hub is over tells so to those who still come; then it ends. */
export const FAREWELL_MS = 1_000;

/** The Web Lock that a hub holds for its life. */
export function hubLock(database: string, hub: string): string {
  return `tabhub:${database}:hub:${hub}`;
}

/** The database of the worker that is called `name`; undefined for a worker of anything else. */
export function databaseOf(name: string): string | undefined {
  const [, protocol, database] = /^tabhub\/(\d+)\/\d+:(.+)$/s.exec(name) ?? [];
  return Number(protocol) === PROTOCOL_VERSION ? database : undefined;
}

/** When a write is acknowledged: `strict` asks IndexedDB to flush first, `relaxed` does not. */
export type Durability = 'strict' | 'relaxed';
/** How thoroughly to check: SQLite's `quick_check`, or its `integrity_check`. */
export type CheckLevel = 'quick' | 'full';
/** How the hub stands with its storage; `read-only` when something stored is corrupt. */
export type StorageState = 'ok' | 'reconnecting' | 'stalled' | 'read-only';
/** Whether a transaction takes its turn to write (`immediate`, and `deferred` the same), or reads one state of the database. */
export type TransactionMode = 'deferred' | 'immediate' | 'read';

/** How one statement's parameters lie in its value block: `count` values, and for named ones their names (with prefix), in the same order. */
export interface ParamsShape { count: number; names?: string[] }
/** `times`, in a batch only: it is run so many times, each time with the next `params.count` values of its block. */
export interface StatementShape { sql: string; params: ParamsShape; times?: number }

/**
 * tab → hub. `id` is positive and grows over all requests of a client, whatever port they go through: a hub ignores one that it has
 * seen; 0 means "no reply wanted". `write` numbers the client's writes from 1 (query, exec and batch outside of transactions where
 * they may write, apply outside of them, and the commit of a transaction that may): a hub carries each out once, whoever sends it how often. All writes up
 * to `answered` have been answered, so their replies may be forgotten.
 */
export interface Request { id: number; write?: number; answered?: number; op: Op }
export type Op =
  /**
   * First frame on a port, with id 1 on each, so that what is repeated after it has larger ids. `lock` is a Web Lock name the tab holds
   * for its life ('' where locks are missing). `format`: the newest stored format that the client's build knows. A client that comes back says `resume`: the `commit` of its first welcome, the number of
   * its last write, and the epoch of the hub it was with: an older hub has been replaced. `cache_bytes` or `cache_blocks`: how large the
   * block cache should be; the largest that a connected tab asks for counts. → `welcome`
   */
  | { hello: { protocol: number; format: number; client: string; lock: string; build: string; persistence: 'required' | 'preferred'; durability: Durability; cache_bytes?: number; cache_blocks?: number; resume?: { since: number; last: number; epoch: number } } }
  /** One statement, payload: one value block. Inside transaction `tx` if given. → `rows` */
  | { query: StatementShape & { tx?: number; durability?: Durability; timeout?: number } }
  /** Many statements without parameters, one transaction (see README). → `done` */
  | { exec: { sql: string; tx?: number; durability?: Durability; timeout?: number } }
  /** One transaction, one hop; payload: one value block per statement. → `results` */
  | { batch: { statements: StatementShape[]; tx?: number; durability?: Durability; timeout?: number } }
  /** `timeout`: longest idle time in ms before the hub rolls back. → `begun` */
  | { begin: { mode: TransactionMode; timeout: number } }
  /** → `done` once durable */
  | { commit: { tx: number; durability?: Durability } }
  /** → `done` */
  | { rollback: { tx: number } }
  /** A read-only statement, streamed. → `chunk`s, two in flight at first, then one per `pull`; the last has `end: true` */
  | { iterate: StatementShape & { timeout?: number } }
  /**
   * A reading statement that is followed, payload: one value block. → `live` with all rows, then one for each `pull` when there is another state,
   * until it is cancelled. An `error` ends it
   */
  | { live: StatementShape }
  /** What commits change in these tables, or in any. → `changed` at once, with the newest commit and no table, then one for each commit, until it is cancelled. Each but the first is to be answered by a `pull`: beyond 256 that are not, one tells of all that came after */
  | { changes: { tables?: string[] } }
  /** Of how many commits, the newest, it is kept what they change; 0: of none, and what is kept is deleted. → `kept` */
  | { keep: { commits: number } }
  /** What the commits after `since` changed, streamed like `iterate`. → `changeset` */
  | { changesets: { since: number } }
  /** Applies a changeset, payload: its bytes. Inside transaction `tx` if given. → `rows`, which are the conflicts: table, key, operation, reason, resolution */
  | { apply: { conflict: 'abort' | 'omit' | 'replace'; tx?: number; durability?: Durability; timeout?: number } }
  /** The database as an ordinary SQLite file, streamed like `iterate` with raw bytes; to salvage: zeros where it cannot be read. → `bytes` */
  | { export: { salvage?: boolean } }
  /** Verifies what is stored, and SQLite's structures in it, streamed like `iterate`. → `checked` */
  | { check: { level: CheckLevel } }
  /** Replaces the whole database. → `more` (credit for one part) repeatedly, then `done` */
  | { import: { size: number } }
  /** id 0. One part (≤ 512 KiB) of import `target`, payload: raw bytes */
  | { part: { target: number; end: boolean } }
  /** id 0. The consumer took one chunk of `target` and wants another */
  | { pull: { target: number } }
  /** id 0. Stops a queued request, an iterate, a live query, changes, changesets, an export, a check or an import; a stopped request answers HUB_CANCELLED. `session`: it is another tab's */
  | { cancel: { target: number; session?: number } }
  /** → `metrics` */
  | { metrics: Record<string, never> }
  /** What the hub is doing: sessions, requests, transactions, live queries, latencies and log, a table each. → `results` */
  | { inspect: Record<string, never> }
  /** Ends the session: open transactions roll back, cursors close. → `done` */
  | { close: Record<string, never> }
  /**
   * Deletes the database and everything stored for it, for every tab. → `error` HUB_REFUSED while an import is under way; else no answer,
   * but `fatal` for every tab: HUB_DELETED once it is done, HUB_STORAGE if it could not be done
   */
  | { destroy: Record<string, never> };

/** hub → tab. `hub` is the hub instance; `re` the request answered, 0 for notifications. */
export interface Response { hub: string; re: number; body: Body }
/** A column of a result. */
export interface Column {
  /** Its name, or its alias. */
  name: string;
  /** The type that it was declared with; null for an expression. */
  type: string | null;
}
/**
 * `last_insert_rowid` is decimal text: it may exceed 2^53. `times`: so many results of a statement without columns that was run several
 * times; its block holds changes and rowid of each, and the other fields say nothing.
 */
export interface ResultShape { columns: Column[]; rows: number; changes: number; last_insert_rowid: string; times?: number }
/** What a response may hold: exactly one of these. */
export interface Bodies {
  /**
   * `protocol`: the one that both go on with. `format`: the stored format that the hub writes; `version`: its build. `commit`: the newest
   * that is stored; every commit of this client will have a higher number, on whatever hub
   */
  welcome: { protocol: number; format: number; version: string; sqlite: string; persistence: 'indexeddb' | 'memory'; epoch: number; commit: number; storage: StorageState };
  /** payload: one value block */
  rows: ResultShape;
  /** payload: one value block per result, in order; a statement that was run several times and has columns gives several */
  results: { results: ResultShape[] };
  done: { changes: number; last_insert_rowid: string };
  begun: { tx: number };
  /** payload: one value block. `columns` only in the first chunk */
  chunk: { columns?: Column[]; rows: number; end: boolean };
  /**
   * payload: one value block, the `fresh` rows. `parts` are runs of from and count, flat: from 0 the next of the fresh rows, else one more than the
   * place among the rows of the state before. `columns` where they are new
   */
  live: { commit: number; columns?: Column[]; fresh: number; parts: number[] };
  /** payload: one value block, the ids of rows, `rows` of each table that has them. `own`: by this tab. `schema`: anything may be another */
  changed: { commit: number; own: boolean; schema: boolean; tables: { table: string; insert: boolean; update: boolean; delete: boolean; rows?: number }[] };
  /** It is kept what every commit after this one changes */
  kept: { commit: number };
  /** payload: raw bytes, what one commit changed. The last has the newest commit's number and no bytes. `schema`: it changed the schema too. `applied`: by an apply */
  changeset: { commit: number; schema: boolean; applied: boolean; end: boolean };
  /** payload: raw bytes. `lost` of them, if it is there, could not be read and are zeros */
  bytes: { offset: number; total: number; end: boolean; lost?: number };
  /** `done` of `total` steps so far; `problems` are those found since the last */
  checked: { stage: 'log' | 'groups' | 'sqlite'; done: number; total: number; problems: string[]; end: boolean };
  more: { received: number };
  metrics: Record<string, number>;
  error: WireError;
  /** notification */
  log: { level: 'debug' | 'info' | 'warn' | 'error'; message: string };
  /** notification: how the hub stands with its storage from now on */
  storage: { state: StorageState; message: string };
  /** notification: the hub is over; every request fails with this error */
  fatal: WireError;
}
export type Body = { [K in keyof Bodies]: Record<K, Bodies[K]> }[keyof Bodies];

/** What became of the work of a call that failed. */
export type Outcome = 'not-applied' | 'applied' | 'unknown';
/** `sqlite` is the extended result code; `offset` the byte offset of the error in `sql`; `index` the failing statement of a batch. */
export interface WireError { code: string; message: string; outcome: Outcome; sqlite?: number; sql?: string; offset?: number; index?: number }
