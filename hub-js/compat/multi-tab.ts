/**
 * The ancestor's `MultiTabDatabase`, whose wrapper users copied into their apps. Here it is little more than other names: what it was made for, one tab that
 * writes and the others that follow, the hub does.
 */
import { HubError, type Bindable } from '../index.js';
import type { Database } from './database.js';
import type { LeaderInfo } from './leadership.js';
import type { ColumnValue, QueryResult } from './values.js';

/** Of `MultiTabDatabase`. */
export interface MultiTabOptions {
  /** `sync` after each `write`. Default true. */
  autoSync?: boolean;
  /** Nothing waits for it any more: every tab may write. */
  waitForLeadership?: boolean;
  /** `sync` so often, in ms. Default 0: never. */
  syncIntervalMs?: number;
}

/** Plain values, or values with their type. */
export type Params = readonly (Bindable | ColumnValue)[];

/**
 * @example
 * const db = new MultiTabDatabase(Database, 'app.db');
 * await db.init();
 * db.onRefresh(() => render());
 * await db.write('INSERT INTO user (name) VALUES (?)', ['Ada']);
 */
export class MultiTabDatabase {
  readonly #Database: Pick<typeof Database, 'newDatabase'>;
  readonly #name: string;
  readonly #options: MultiTabOptions;
  readonly #refreshes = new Set<() => void>();
  #opened: Database | undefined;
  #interval: ReturnType<typeof setInterval> | undefined;

  constructor(DatabaseClass: Pick<typeof Database, 'newDatabase'>, name: string, options: MultiTabOptions = {}) {
    this.#Database = DatabaseClass;
    this.#name = name;
    this.#options = options;
  }

  /** Opens it. */
  async init(): Promise<void> {
    const db = await this.#Database.newDatabase(this.#name);
    this.#opened = db;
    // Each on its own: one that throws keeps no other from being called.
    db.onDataChange(() => { for (const refresh of this.#refreshes) queueMicrotask(refresh); });
    const { syncIntervalMs = 0 } = this.#options;
    if (syncIntervalMs > 0) this.#interval = setInterval(() => void db.sync(), syncIntervalMs);
  }

  /** Runs a statement that writes, in any tab. */
  async write(sql: string, params: Params = []): Promise<QueryResult> {
    const result = await this.#db.execute(sql, params);
    if (this.#options.autoSync !== false) await this.#db.sync();
    return result;
  }

  /** Runs a statement that reads; the same as `execute`. */
  query(sql: string, params: Params = []): Promise<QueryResult> { return this.#db.execute(sql, params); }

  /** As `Database.execute`. */
  execute(sql: string, params: Params = []): Promise<QueryResult> { return this.#db.execute(sql, params); }

  /** As `Database.sync`. */
  sync(): Promise<void> { return this.#db.sync(); }

  /** Calls back after each commit of another tab. */
  onRefresh(callback: () => void): void {
    if (typeof callback !== 'function') throw new HubError('HUB_BAD_REQUEST', 'onRefresh: the listener must be a function');
    this.#refreshes.add(callback);
  }

  /** Ends what `onRefresh` began. */
  offRefresh(callback: () => void): void { this.#refreshes.delete(callback); }

  /** As `Database.isLeader`. */
  isLeader(): Promise<boolean> { return this.#db.isLeader(); }

  /** As `Database.waitForLeadership`. */
  waitForLeadership(timeoutMs?: number): Promise<void> { return this.#db.waitForLeadership(timeoutMs); }

  /** As `Database.requestLeadership`. */
  requestLeadership(): Promise<void> { return this.#db.requestLeadership(); }

  /** As `Database.getLeaderInfo`. */
  getLeaderInfo(): Promise<LeaderInfo> { return this.#db.getLeaderInfo(); }

  /** As `Database.queueWrite`. */
  queueWrite(sql: string): Promise<void> { return this.#db.queueWrite(sql); }

  /** As `Database.queueWriteWithTimeout`. */
  queueWriteWithTimeout(sql: string, timeoutMs: number): Promise<void> { return this.#db.queueWriteWithTimeout(sql, timeoutMs); }

  /** As `Database.allowNonLeaderWrites`. */
  allowNonLeaderWrites(allow: boolean): Promise<void> { return this.#db.allowNonLeaderWrites(allow); }

  /** Ends this tab's use of the database, and all of `onRefresh`. */
  async close(): Promise<void> {
    clearInterval(this.#interval);
    this.#refreshes.clear();
    await this.#opened?.close();
    this.#opened = undefined;
  }

  get #db(): Database {
    if (!this.#opened) throw new HubError('HUB_CLOSED', 'the database is not open: await init() first, and do not use it after close()');
    return this.#opened;
  }
}
