/**
 * A dialect for Kysely: `tabhub/kysely`. Each query is one call of the database; a transaction of Kysely's is one of the hub's, so transactions of all tabs
 * run one after another, migrations too. It compiles nothing itself: Kysely's own SQLite compiler and introspector do.
 *
 * @module tabhub/kysely
 */
import {
  SqliteAdapter, SqliteIntrospector, SqliteQueryCompiler,
  type Compilable, type CompiledQuery, type DatabaseConnection, type DatabaseIntrospector, type Dialect, type DialectAdapter, type Driver, type Kysely,
  type QueryCompiler, type QueryResult, type TransactionSettings,
} from 'kysely';
import type { Bindable, Database, LiveOptions, LiveQuery, Transaction } from '../index.js';
import { beginTransaction, type BegunTransaction } from './begin.js';

/** What the dialect works with. */
export interface TabhubDialectConfig {
  /** An open database, or one that is being opened. `kysely.destroy()` closes it. */
  database: Database | Promise<Database>;
  /** Longest idle time in ms between two statements of a transaction. Default: `db.transaction`'s 5000. */
  transactionTimeout?: number;
}

/**
 * @example
 * const kysely = new Kysely<Schema>({ dialect: new TabhubDialect({ database: open('app.db') }) });
 * await kysely.insertInto('todo').values({ title: 'milk' }).execute();
 */
export class TabhubDialect implements Dialect {
  readonly #config: TabhubDialectConfig;

  constructor(config: TabhubDialectConfig) {
    this.#config = config;
  }

  createDriver(): Driver { return new TabhubDriver(this.#config); }
  createQueryCompiler(): QueryCompiler { return new SqliteQueryCompiler(); }
  createAdapter(): DialectAdapter { return new TabhubAdapter(); }
  createIntrospector(db: Kysely<unknown>): DatabaseIntrospector { return new SqliteIntrospector(db); }
}

/**
 * A Kysely query that is followed, with its row type: see `db.live`. Kysely's plugins do not see its rows.
 *
 * @example liveQuery(db, kysely.selectFrom('todo').selectAll().where('done', '=', 0), { key: 'id' }).subscribe(render);
 */
export function liveQuery<Row>(database: Database, query: Compilable<Row>, options?: LiveOptions): LiveQuery<Row> {
  const { sql, parameters } = query.compile();
  return database.live<Row>(sql, parameters as readonly Bindable[], options);
}

class TabhubAdapter extends SqliteAdapter {
  /** SQLite can roll its schema back. So the migrator runs all in one transaction, which is also what keeps other tabs from migrating at the same time. */
  override get supportsTransactionalDdl(): boolean { return true; }
}

class TabhubDriver implements Driver {
  readonly #config: TabhubDialectConfig;
  #database: Database | undefined;

  constructor(config: TabhubDialectConfig) {
    this.#config = config;
  }

  async init(): Promise<void> {
    this.#database = await this.#config.database;
  }

  /** There is nothing to wait for: connections have no state but their transaction. */
  async acquireConnection(): Promise<DatabaseConnection> {
    return new TabhubConnection(this.#database as Database, this.#config.transactionTimeout);
  }

  async beginTransaction(connection: TabhubConnection, settings: TransactionSettings): Promise<void> { await connection.begin(settings); }
  async commitTransaction(connection: TabhubConnection): Promise<void> { await connection.commit(); }
  async rollbackTransaction(connection: TabhubConnection): Promise<void> { await connection.rollback(); }

  async savepoint(connection: TabhubConnection, name: string): Promise<void> { await connection.exec(`SAVEPOINT ${quoted(name)}`); }
  async rollbackToSavepoint(connection: TabhubConnection, name: string): Promise<void> { await connection.exec(`ROLLBACK TO ${quoted(name)}`); }
  async releaseSavepoint(connection: TabhubConnection, name: string): Promise<void> { await connection.exec(`RELEASE ${quoted(name)}`); }

  async releaseConnection(): Promise<void> {}

  async destroy(): Promise<void> {
    await this.#database?.close();
  }
}

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

class TabhubConnection implements DatabaseConnection {
  readonly #database: Database;
  readonly #timeout: number | undefined;
  #transaction: BegunTransaction | undefined;

  constructor(database: Database, timeout: number | undefined) {
    this.#database = database;
    this.#timeout = timeout;
  }

  get #queries(): Database | Transaction {
    return this.#transaction?.tx ?? this.#database;
  }

  async executeQuery<Row>({ sql, parameters }: CompiledQuery): Promise<QueryResult<Row>> {
    const { rows, changes, lastInsertRowid } = await this.#queries.query<Row>(sql, parameters as readonly Bindable[]);
    return { rows, numAffectedRows: BigInt(changes), insertId: BigInt(lastInsertRowid) };
  }

  /** Outside a transaction the rows come as they are consumed; inside of one they are read at once and handed out in chunks. */
  async* streamQuery<Row>({ sql, parameters }: CompiledQuery, chunkSize = 1): AsyncIterableIterator<QueryResult<Row>> {
    const params = parameters as readonly Bindable[];
    const rows = this.#transaction ? await this.#transaction.tx.all<Row>(sql, params) : this.#database.iterate<Row>(sql, params);
    let chunk: Row[] = [];
    for await (const row of rows) {
      if (chunk.push(row) < chunkSize) continue;
      yield { rows: chunk };
      chunk = [];
    }
    if (chunk.length > 0) yield { rows: chunk };
  }

  async begin({ accessMode }: TransactionSettings): Promise<void> {
    const mode = accessMode === 'read only' ? 'read' : 'immediate';
    this.#transaction = await beginTransaction(this.#database, { mode, ...this.#timeout !== undefined && { timeout: this.#timeout } });
  }

  async exec(sql: string): Promise<void> {
    await this.#queries.exec(sql);
  }

  async commit(): Promise<void> { await this.#take()?.commit(); }
  async rollback(): Promise<void> { await this.#take()?.rollback(); }

  #take(): BegunTransaction | undefined {
    const transaction = this.#transaction;
    this.#transaction = undefined;
    return transaction;
  }
}
