/**
 * The database as an application sees it. Made by `open.ts`; each call is one small file beside this one. It holds no state but its
 * session: the hub is the one place that knows anything.
 */
import { backUp, type BackupTarget } from './backup.js';
import { listenToChanges, type Change, type ChangeFilter } from './changes.js';
import { keepChanges, readChanges, type Changeset, type KeepOptions } from './changesets.js';
import { checkDatabase, type CheckResult } from './check.js';
import type { DatabaseEvents, Events } from './events.js';
import { iterateRows } from './iterate.js';
import { LiveQuery } from './live.js';
import { KNOWN, checkOptions, type CallOptions, type CheckOptions, type LiveOptions, type RowOptions, type TransactionOptions, type TransferOptions } from './options.js';
import { Queries, checkSql } from './queries.js';
import type { ObjectRow } from './rows.js';
import type { Session } from './session.js';
import { Statement } from './statement.js';
import type { Status } from './status.js';
import { runTransaction, type Transaction } from './transaction.js';
import { exportFile, exportStream, importFile, salvageFile, type ImportSource, type Salvage } from './transfer.js';
import type { Params } from './values.js';

/**
 * An open database, shared with every other tab that has it open. Get one from `open`. If the hub dies, calls go on with the next one,
 * and each write is carried out once: see `status.state`.
 */
export class Database extends Queries {
  /** The name it was opened with. */
  readonly name: string;
  readonly #session: Session;
  readonly #events: Events;

  /** @internal */
  constructor(name: string, session: Session, events: Events) {
    super((kind, op, parts, options) => session.request(kind, op, parts, options), {});
    this.name = name;
    this.#session = session;
    this.#events = events;
  }

  /** How the connection to the hub stands, and what the hub is. */
  get status(): Status {
    return this.#session.status;
  }

  /**
   * Streams the rows of one reading statement. The hub runs ahead by at most two chunks; leaving the loop stops it.
   *
   * @example for await (const row of db.iterate('SELECT * FROM big')) { if (enough(row)) break }
   */
  iterate<Row = ObjectRow, P extends Params = Params>(sql: string, params?: P, options?: RowOptions): AsyncGenerator<Row, void, undefined> {
    return iterateRows<Row>(this.#session, sql, params, options);
  }

  /**
   * A query that is followed: it tells its rows now, and whenever a commit of any tab has changed them. The hub runs it once for all tabs that ask
   * the same, only when what it reads was written, and sends what is new. Nothing is sent before somebody subscribes.
   *
   * @example
   * const todos = db.live<{ id: number; title: string }>('SELECT * FROM todo WHERE done = ?', [0], { key: 'id' });
   * const stop = todos.subscribe(rows => render(rows));
   */
  live<Row = ObjectRow, P extends Params = Params>(sql: string, params?: P, options?: LiveOptions): LiveQuery<Row> {
    return new LiveQuery<Row>(this.#session, sql, params, options);
  }

  /**
   * Tells of each commit that changes one of these tables, or any, once it is durable; what it returns ends that. Rows that were written and then
   * taken back to a savepoint may be named too.
   *
   * @example const off = db.onChange({ tables: ['todo'] }, ({ tables, origin }) => { if (origin === 'another') refresh(tables) });
   */
  onChange(filter: ChangeFilter, callback: (change: Change) => void): () => void {
    return listenToChanges(this.#session, filter, callback);
  }

  /**
   * Has the hub keep, from now on and for every tab, what commits change, for `changes()`. Stored with each commit, so it costs each write some
   * bytes. It stays so until it is called again. Resolves with the number of the newest commit: the changes of all later ones are kept.
   *
   * @example const since = await db.keepChanges({ commits: 10_000 });
   */
  keepChanges(options: KeepOptions): Promise<number> {
    return keepChanges(this.#session, options);
  }

  /**
   * What the commits after `since` changed, one by one, up to the newest: for engines that carry changes elsewhere. Rows of tables without a PRIMARY
   * KEY, and of virtual ones, are not in it.
   *
   * @throws {HubError} `HUB_CHANGES_GONE` where one of them is not kept, or not any more, as after an import or a commit that changed more than 4 MiB.
   * @example
   * for await (const { commit, changeset, applied } of db.changes(since)) {
   *   if (!applied) await upload(changeset);
   *   since = commit;
   * }
   */
  changes(since: number, options?: CallOptions): AsyncGenerator<Changeset, void, undefined> {
    return readChanges(this.#session, since, options);
  }

  /**
   * A statement to be run many times. It is compiled at its first use, and the hub keeps it compiled for all tabs.
   *
   * @example const byId = db.prepare<User, [id: number]>('SELECT * FROM user WHERE id = ?'); const user = await byId.get([7]);
   */
  prepare<Row = ObjectRow, P extends Params = Params>(sql: string): Statement<Row, P> {
    return new Statement(this, checkSql(sql, 'prepare'));
  }

  /**
   * Runs `work` as one transaction across its awaits: committed when it resolves, rolled back when it throws (the same error comes back).
   * Use `tx` inside, not the database: a write of the database would wait for this very transaction to end.
   *
   * @throws {HubError} `HUB_TRANSACTION_TIMEOUT` after `timeout` ms without a statement; `HUB_CANCELLED` by its signal;
   *   `HUB_TRANSACTION_LOST` when the hub died in the middle: nothing was applied, so it can be run again, which `retries` does.
   * @example
   * await db.transaction(async tx => {
   *   const { n } = await tx.get<{ n: number }>('SELECT n FROM counter') ?? { n: 0 };
   *   await tx.run('UPDATE counter SET n = ?', [n + 1]);
   * });
   */
  transaction<T>(work: (tx: Transaction) => T | Promise<T>, options?: TransactionOptions): Promise<T> {
    return runTransaction(this.#session, work, options);
  }

  /**
   * Replaces the whole database by an SQLite file, for every tab; all or nothing.
   *
   * @throws {HubError} `HUB_NOT_A_DATABASE` for anything but a whole SQLite file; the database is as it was then.
   * @example await db.import(fileInput.files[0], { onProgress: (done, total) => { bar.value = done / total } });
   */
  import(source: ImportSource, options?: TransferOptions): Promise<void> {
    return importFile(this.#session, source, options);
  }

  /** The database as an ordinary SQLite file, of one moment. */
  export(options?: TransferOptions): Promise<Uint8Array> {
    return exportFile(this.#session, options);
  }

  /**
   * The same as a stream, so that the file never lies in memory whole.
   * @example await db.exportStream().pipeTo(await handle.createWritable());
   */
  exportStream(options?: TransferOptions): ReadableStream<Uint8Array> {
    return exportStream(this.#session, options);
  }

  /**
   * Writes a backup: an SQLite file of one moment, while the database is in use. A file that was there is replaced at the end, or not at all.
   *
   * @param target - a path in the origin's private file system (`'backups/app.db'`, its folders are made), a file that the person has chosen, or a stream.
   * @throws {HubError} `HUB_CANCELLED` by its signal; `HUB_UNSUPPORTED` where the browser cannot write there. What a stream or file system throws comes back as it is.
   * @example await db.backup(await showSaveFilePicker({ suggestedName: 'app.db' }), { onProgress: (done, total) => { bar.value = done / total } });
   */
  backup(target: BackupTarget, options?: TransferOptions): Promise<void> {
    return backUp(this.#session, target, options);
  }

  /**
   * Verifies everything stored, with the checksums and the order of the records, and SQLite's structures in it. Reads go on meanwhile.
   *
   * @throws {HubError} `HUB_CANCELLED` by its signal. What is damaged is no error but a problem.
   * @example
   * const { ok, problems } = await db.check({ level: 'full', onProgress: ({ stage, done, total }) => show(stage, done / total) });
   * if (!ok) report(problems);
   */
  check(options?: CheckOptions): Promise<CheckResult> {
    return checkDatabase(this.#session, options);
  }

  /**
   * What can be read of a damaged database, as an SQLite file with zeros for what cannot. SQLite's own tools may get more out of it;
   * importing a sound file heals the database.
   *
   * @example
   * const { file, lostBytes } = await db.salvage();
   * if (lostBytes > 0) await keepForSupport(file);
   */
  salvage(options?: TransferOptions): Promise<Salvage> {
    return salvageFile(this.#session, options);
  }

  /** The hub's counters, for all tabs together. */
  async metrics(options?: CallOptions): Promise<Record<string, number>> {
    const { signal, timeout } = checkOptions(options, KNOWN.call, 'metrics');
    return (await this.#session.request('metrics', { metrics: {} }, [], { what: 'metrics', writes: false, signal, timeout })).answer;
  }

  /**
   * Listens to an event; what it returns ends that.
   * @example const off = db.on('status', ({ state }) => show(state));
   */
  on<K extends keyof DatabaseEvents>(event: K, listener: (event: DatabaseEvents[K]) => void): () => void {
    return this.#events.on(event, listener);
  }

  /**
   * Ends this tab's use of the database: open transactions roll back, later calls fail with `HUB_CLOSED`, and so may calls that are
   * still under way: await them first. May be called again.
   */
  close(): Promise<void> {
    return this.#session.close();
  }
}
