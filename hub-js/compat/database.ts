/**
 * The ancestor's `Database` on top of tabhub's: the same calls and results, over one connection that all tabs share. `index.ts` exports it. It has no SQL of
 * its own but for BEGIN and COMMIT, which come as statements here.
 */
import { beginTransaction, type BegunTransaction } from '../adapters/begin.js';
import { HubError, databases, deleteDatabase, open, type Bindable, type Database as Tabhub, type OpenOptions, type SqlValue } from '../index.js';
import { Leadership, type LeaderInfo } from './leadership.js';
import { toBindable, toQueryResult, type ColumnValue, type QueryResult } from './values.js';

/** The ancestor's own deadlines, ms. */
const QUEUE_MS = 5_000;
const LEADERSHIP_MS = 5_000;
/** How long a transaction that began by BEGIN may be idle: it keeps every other tab from writing. */
const IDLE_MS = 30_000;
/** Alone; in a script they are the script's. */
const CONTROL = /^\s*(begin|commit|end|rollback)(?:\s+(?:deferred|immediate|exclusive))?(?:\s+transaction)?\s*;?\s*$/i;

let defaults: OpenOptions = {};

/**
 * Says how databases are opened from now on: tabhub's options, for example `workerUrl`. There is nothing to load before; it may be left out.
 *
 * @example await init();
 */
export default async function init(options: OpenOptions = {}): Promise<void> {
  defaults = options;
}

/**
 * A database, as the ancestor has it. Each tab opens it, and each may write.
 *
 * @example
 * const db = await Database.newDatabase('app.db');
 * const { rows } = await db.execute('SELECT 1');
 */
export class Database {
  readonly #db: Tabhub;
  readonly #leadership: Leadership;
  readonly #underWay = new Set<Promise<unknown>>();
  #transaction: Promise<BegunTransaction> | undefined;

  private constructor(db: Tabhub) {
    this.#db = db;
    this.#leadership = new Leadership(db);
  }

  /** Opens or creates a database. @throws {HubError} as tabhub's `open`. */
  static async newDatabase(name: string): Promise<Database> {
    return new Database(await open(name, defaults));
  }

  /** Deletes it, also while other tabs have it open. */
  static deleteDatabase(name: string): Promise<void> {
    return deleteDatabase(name, defaults);
  }

  /** The names of all databases of this origin, sorted. */
  static getAllDatabases(): Promise<string[]> {
    return databases();
  }

  /** What it was opened with. */
  get name(): string {
    return this.#db.name;
  }

  /** tabhub's own database, for everything that is new. */
  get tabhub(): Tabhub {
    return this.#db;
  }

  /**
   * Runs one statement; or, without parameters, a script as one transaction. Any tab may write. Resolves once it is durable. BEGIN takes the turn to write and
   * keeps it until COMMIT or ROLLBACK, for at most 30 s without a statement.
   *
   * @example const { rows } = await db.execute('SELECT name FROM user'); rows[0].values[0].value;
   */
  execute(sql: string, params: readonly (Bindable | ColumnValue)[] = []): Promise<QueryResult> {
    return this.#run(sql, params);
  }

  /** The same with parameters: plain values, or values with their type. */
  executeWithParams(sql: string, params: readonly (Bindable | ColumnValue)[]): Promise<QueryResult> {
    return this.#run(sql, params);
  }

  /** `execute`, with the ancestor's deadline of 5 s. There is no queue of the leader's: each write has its turn in the hub. */
  queueWrite(sql: string): Promise<void> {
    return this.queueWriteWithTimeout(sql, QUEUE_MS);
  }

  /** @throws {HubError} `HUB_TIMEOUT` after `timeoutMs`: nothing was applied then. */
  async queueWriteWithTimeout(sql: string, timeoutMs: number): Promise<void> {
    await this.#run(sql, [], timeoutMs);
  }

  /**
   * Resolves when everything that this tab has written is on the disk as far as the browser can do that. What was awaited is durable already; with
   * `init({ durability: 'relaxed' })` this asks for the flush.
   */
  async sync(): Promise<void> {
    await Promise.allSettled(this.#underWay);
    if (defaults.durability !== 'relaxed' || this.#transaction) return;
    // A commit that changes nothing, but asks for the flush of everything before it.
    await this.#db.transaction(async tx => {
      const { user_version } = await tx.get<{ user_version: number }>('PRAGMA user_version') ?? { user_version: 0 };
      await tx.exec(`PRAGMA user_version = ${user_version}`);
    }, { durability: 'strict' });
  }

  /** Calls back after each commit of another tab. */
  onDataChange(callback: (changeType: string) => void): void {
    if (typeof callback !== 'function') throw new HubError('HUB_BAD_REQUEST', 'onDataChange: the listener must be a function');
    this.#db.onChange({}, ({ origin, everything }) => { if (origin === 'another' || everything) callback('commit'); });
  }

  /** Whether this tab is the leader: the one that hosts the hub, or where a SharedWorker does, one of the tabs. Writing does not need it. */
  isLeader(): Promise<boolean> { return this.#leadership.isLeader(); }

  /** @throws {HubError} `HUB_TIMEOUT` after `timeoutMs`. */
  waitForLeadership(timeoutMs = LEADERSHIP_MS): Promise<void> { return this.#leadership.wait(timeoutMs); }

  /** Makes this tab the leader where a SharedWorker hosts the hub; otherwise the one that hosts it stays the leader. */
  requestLeadership(): Promise<void> { return this.#leadership.request(); }

  /** Who is the leader as of now. */
  getLeaderInfo(): Promise<LeaderInfo> { return this.#leadership.info(); }

  /** Every tab may always write: there is nothing to allow, and nothing that could forbid it. */
  async allowNonLeaderWrites(allow: boolean): Promise<void> {
    if (typeof allow !== 'boolean') throw new HubError('HUB_BAD_REQUEST', 'allowNonLeaderWrites: pass true or false');
  }

  /** The whole database as an SQLite file. */
  exportToFile(): Promise<Uint8Array> { return this.#db.export(); }

  /** Replaces the database, for every tab; it can be used at once. @throws {HubError} `HUB_NOT_A_DATABASE`, and nothing has changed. */
  importFromFile(file: Uint8Array): Promise<void> { return this.#db.import(file); }

  /** Rolls back an open transaction and ends this tab's use of the database. */
  async close(): Promise<void> {
    this.#leadership.end();
    await Promise.allSettled(this.#underWay);
    await this.#db.close();
  }

  #run(sql: string, params: readonly (Bindable | ColumnValue)[], timeout?: number): Promise<QueryResult> {
    const result = this.#execute(sql, params, timeout);
    const settled = result.then(() => {}, () => {}).finally(() => { this.#underWay.delete(settled); });
    this.#underWay.add(settled);
    return result;
  }

  async #execute(sql: string, params: readonly (Bindable | ColumnValue)[], timeout: number | undefined): Promise<QueryResult> {
    if (!Array.isArray(params)) throw new HubError('HUB_BAD_VALUE', 'the parameters must be an array');
    const begun = performance.now();
    const values = params.map(toBindable);
    const control = typeof sql === 'string' ? CONTROL.exec(sql)?.[1]?.toLowerCase() : undefined;
    const result = control === undefined ? await this.#statement(sql, values, timeout) : await this.#control(control, sql);
    return toQueryResult(sql, result, performance.now() - begun);
  }

  async #statement(sql: string, values: Bindable[], timeout: number | undefined) {
    const queries = (await this.#transaction)?.tx ?? this.#db;
    const limit = timeout === undefined ? {} : { timeout };
    try {
      return await queries.query<SqlValue[]>(sql, values, { rowMode: 'array', bigint: 'bigint', ...limit });
    } catch (error) {
      // More than one statement, or none.
      if (!(error instanceof HubError) || error.code !== 'HUB_BAD_REQUEST' || values.length > 0) throw error;
      return { rows: [], columns: [], ...await queries.exec(sql, limit) };
    }
  }

  async #control(control: string, sql: string) {
    const open = this.#transaction;
    if (control === 'begin') {
      if (open) throw new HubError('HUB_TRANSACTION_NESTED', 'BEGIN inside of a transaction: use SAVEPOINT and RELEASE', { sql });
      const beginning = beginTransaction(this.#db, { timeout: IDLE_MS });
      this.#transaction = beginning;
      beginning.catch(() => { if (this.#transaction === beginning) this.#transaction = undefined; });
      await beginning;
    } else {
      if (!open) throw new HubError('HUB_TRANSACTION_CONTROL', `${control.toUpperCase()} outside of a transaction: there is none to end`, { sql });
      this.#transaction = undefined;
      const { commit, rollback } = await open;
      await (control === 'rollback' ? rollback() : commit());
    }
    return { rows: [], columns: [], changes: 0, lastInsertRowid: 0 };
  }
}
