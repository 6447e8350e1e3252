/**
 * Options: their types, and the checks that turn a misspelt or unfit one into `HUB_BAD_OPTION`. Called by every public call before
 * anything is sent. It never fills in a default that the caller could have misspelt: unknown keys are refused.
 */
import { checkMigrations, type Migration } from './migrations.js';
import { HubError } from './errors.js';
import type { BigIntMode } from './codec.js';
import type { CheckLevel, Durability, TransactionMode } from './protocol.js';
import type { Outdated } from './status.js';
import type { Mode } from './transport/route.js';

export type { BigIntMode, CheckLevel, Durability, TransactionMode };

/** A message of the hub: its log, its panics, its unhandled errors. */
export interface LogEvent {
  /** How much it matters. */
  level: 'debug' | 'info' | 'warn' | 'error';
  /** A sentence for people. */
  message: string;
}

/** How a database is opened. The tabs of one database may differ in all of it. */
export interface OpenOptions {
  /**
   * Where the hub runs. `shared`: in a SharedWorker. `leader`: in a worker of the one tab that is elected. `auto` (default): `shared` where
   * the browser has SharedWorker. Tabs of both kinds may have one database open: whichever hub is there first serves all.
   */
  mode?: 'auto' | Mode;
  /** `required` (default): fail with `HUB_STORAGE_UNAVAILABLE` where nothing can be stored. `preferred`: go on in memory; `db.status.persistence` tells. */
  persistence?: 'required' | 'preferred';
  /** When a write is acknowledged. `strict` (default): IndexedDB completed it and was asked to flush. `relaxed`: IndexedDB completed it. */
  durability?: Durability;
  /**
   * How much memory the hub's block cache may take, in bytes: 1 MiB to 1 GiB. Default 32 MiB. All tabs share the one cache; the largest that
   * a connected tab asks for counts.
   */
  cacheBytes?: number;
  /** The same in blocks (SQLite pages): 64 or more. Give one of the two. */
  cacheBlocks?: number;
  /**
   * Makes each call a `performance.measure` with its SQL, from its sending to its last answer, for the browser's performance tools. Default false: the browser keeps
   * them until `performance.clearMeasures()`.
   */
  trace?: boolean;
  /** What the database must go through to have the schema that this page wants; each step once, whichever tab comes first. See `PRAGMA user_version`. */
  migrations?: readonly Migration[];
  /** Where `hub.js` is served, same origin. Default: beside the client script. */
  workerUrl?: string | URL;
  /** Where `hub.wasm` is served. Default: beside `hub.js`. */
  wasmUrl?: string | URL;
  /** Called when the hub is newer than this page: a good moment to offer a reload. The same as the event `outdated`, from the first hub on. */
  onOutdated?: (event: Outdated) => void;
  /** Receives the hub's log from the first message on. Default: only the console does. */
  onLog?: (event: LogEvent) => void;
}

/** What every call can be given. */
export interface CallOptions {
  /**
   * Stops the call. A read (SQL that begins with SELECT, VALUES or EXPLAIN) rejects with `HUB_CANCELLED` at once. A write rejects when the hub confirms that nothing was applied;
   * if the signal came too late to stop it, the call ends as if there were none.
   */
  signal?: AbortSignal;
  /** Longest time in ms, waiting included, before `HUB_TIMEOUT`. Default: the hub's own 30 s. */
  timeout?: number;
}

/** As `open`'s: the same hub is to be found. */
export type InspectOptions = Pick<OpenOptions, 'mode' | 'workerUrl' | 'wasmUrl' | 'onLog'>;

/** Of a call that writes and answers no rows: `exec`. */
export interface WriteOptions extends CallOptions {
  /** Overrides the database's durability for this call. */
  durability?: Durability;
}

/** Of a call that only reads rows: `iterate`. */
export interface RowOptions extends CallOptions {
  /** `object` (default): one property per column, the last of equal names wins. `array`: values in column order. */
  rowMode?: 'object' | 'array';
  /** `auto` (default): bigint only where a number would be wrong. `number`: always number, rounded. `bigint`: every integer. */
  bigint?: BigIntMode;
}

/** Of a live query. */
export interface LiveOptions extends Pick<RowOptions, 'rowMode' | 'bigint'> {
  /** The column, or columns, that tell rows apart: then `onDiff` can say that one was updated. */
  key?: string | readonly string[];
  /** The least time in ms between two states. Default 0; in a page that nobody sees at least 1000. */
  throttle?: number;
}

/** Of a statement that may answer rows and may write: `query`, `all`, `get`, `run`, `batch`. */
export interface QueryOptions extends RowOptions, WriteOptions {}

/** Of `transaction`. */
export interface TransactionOptions {
  /** `immediate` (default) waits its turn to write at once; `deferred` does the same here; `read` sees one state of the database and cannot write. */
  mode?: TransactionMode;
  /** Longest idle time in ms between two statements before the hub rolls back. Default 5000. */
  timeout?: number;
  /** Rolls back and rejects with `HUB_CANCELLED`. */
  signal?: AbortSignal;
  /** Overrides the database's durability for its commit. */
  durability?: Durability;
  /** How often it is run again, from the start, when the hub died in its middle (`HUB_TRANSACTION_LOST`). Default 0: its function may have effects of its own. */
  retries?: number;
}

/** Of `import` and the exports. */
export interface TransferOptions {
  /** How far it has come, in bytes; called after each part. */
  onProgress?: (done: number, total: number) => void;
  /** Stops the transfer with `HUB_CANCELLED`; a stopped import leaves the database as it was. */
  signal?: AbortSignal;
}

/** Of `apply`. */
export interface ApplyOptions extends WriteOptions {
  /**
   * What becomes of a change that does not fit the data. `abort` (default): nothing is applied, and `HUB_CONFLICT` says why. `omit`: it is left out.
   * `replace`: it wins over the row that is there; where there is none, or a constraint is violated, it is left out.
   */
  conflict?: 'abort' | 'omit' | 'replace';
}

/** How far a check has come. */
export interface CheckProgress {
  /** What is looked at: the log, then the block groups, then what SQLite makes of them. */
  stage: 'log' | 'groups' | 'sqlite';
  /** Steps of the stage that are done. */
  done: number;
  /** Steps that the stage has. */
  total: number;
}

/** Of `check`. */
export interface CheckOptions {
  /** `quick` (default): every stored record, and SQLite's `quick_check`. `full`: its `integrity_check`, which compares indexes with their tables too. */
  level?: CheckLevel;
  /** How far it has come; called after each step. */
  onProgress?: (progress: CheckProgress) => void;
  /** Stops the check with `HUB_CANCELLED`. */
  signal?: AbortSignal;
}

type Check = (value: unknown) => string | undefined;

const oneOf = (...allowed: string[]): Check => value =>
  allowed.includes(value as string) ? undefined : `must be ${allowed.map(word => `'${word}'`).join(' or ')}`;
const aBoolean: Check = value => typeof value === 'boolean' ? undefined : 'must be true or false';
const aFunction: Check = value => typeof value === 'function' ? undefined : 'must be a function';
const aUrl: Check = value => typeof value === 'string' && value !== '' || value instanceof URL ? undefined : 'must be a URL';
const wholeBetween = (least: number, most: number): Check => value =>
  Number.isInteger(value) && (value as number) >= least && (value as number) <= most ? undefined : `must be a whole number from ${least} to ${most}`;
const millisecondsUpTo = (most: number): Check => value =>
  typeof value === 'number' && value > 0 && value <= most ? undefined : `must be milliseconds, above 0 and at most ${most}`;
const aKey: Check = value => [value].flat().length > 0 && [value].flat().every(column => typeof column === 'string') ? undefined : 'must be the name of a column, or a list of them';
const aSignal: Check = value =>
  typeof value === 'object' && value !== null && 'aborted' in value && 'addEventListener' in value ? undefined : 'must be an AbortSignal';

/** `setTimeout` counts in 32 bits; the client's own grace must fit on top. */
const milliseconds = millisecondsUpTo(2 ** 31 - 1 - 60_000);
/** The longest a hub lets a transaction be idle. */
const idleMilliseconds = millisecondsUpTo(600_000);

const durability = oneOf('strict', 'relaxed');
const call = { signal: aSignal, timeout: milliseconds };
const transfer = { onProgress: aFunction, signal: aSignal };
const row = { ...call, rowMode: oneOf('object', 'array'), bigint: oneOf('auto', 'number', 'bigint') };

const inspect = { mode: oneOf('auto', 'shared', 'leader'), workerUrl: aUrl, wasmUrl: aUrl, onLog: aFunction };

/** The options each kind of call knows. */
export const KNOWN = {
  open: {
    ...inspect, persistence: oneOf('required', 'preferred'), durability, cacheBytes: wholeBetween(2 ** 20, 2 ** 30), cacheBlocks: wholeBetween(64, 2 ** 20),
    trace: aBoolean, migrations: checkMigrations, onOutdated: aFunction,
  },
  inspect,
  call,
  write: { ...call, durability },
  rows: row,
  query: { ...row, durability },
  live: { rowMode: row.rowMode, bigint: row.bigint, key: aKey, throttle: milliseconds },
  transaction: { mode: oneOf('deferred', 'immediate', 'read'), timeout: idleMilliseconds, signal: aSignal, durability, retries: wholeBetween(0, 1_000) },
  transfer,
  apply: { ...call, durability, conflict: oneOf('abort', 'omit', 'replace') },
  persist: { timeout: milliseconds },
  keepChanges: { ...call, commits: wholeBetween(0, 1_000_000) },
  check: { level: oneOf('quick', 'full'), ...transfer },
} satisfies Record<string, Record<string, Check>>;

/** Returns the options as they are, or throws `HUB_BAD_OPTION` naming the first that is unknown or unfit. */
export function checkOptions<T extends object>(options: T | undefined, known: Record<string, Check>, caller: string): T {
  if (options === undefined) return {} as T;
  if (typeof options !== 'object' || options === null) throw new HubError('HUB_BAD_OPTION', `${caller}: options must be an object`);
  for (const [name, value] of Object.entries(options)) {
    const check = Object.hasOwn(known, name) ? known[name] : undefined;
    if (!check) throw new HubError('HUB_BAD_OPTION', `${caller}: there is no option '${name}'; it knows ${Object.keys(known).join(', ')}`);
    const complaint = value === undefined ? undefined : check(value);
    if (complaint) throw new HubError('HUB_BAD_OPTION', `${caller}: option '${name}' ${complaint}`);
  }
  return options;
}

/** The whole milliseconds that the wire carries. */
export function wireTimeout(timeout: number | undefined): { timeout?: number } {
  return timeout === undefined ? {} : { timeout: Math.ceil(timeout) };
}
