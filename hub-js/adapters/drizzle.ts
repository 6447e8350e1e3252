/**
 * Drizzle over tabhub: `tabhub/drizzle`, on Drizzle's own `sqlite-proxy`, with what a proxy cannot have: transactions that no other tab's statement gets into,
 * batches, and a migrator that needs no file system. It maps no rows itself: Drizzle does.
 *
 * @module tabhub/drizzle
 */
import { TransactionRollbackError, type DrizzleConfig } from 'drizzle-orm';
import { drizzle as overProxy, type AsyncBatchRemoteCallback, type AsyncRemoteCallback, type SqliteRemoteDatabase } from 'drizzle-orm/sqlite-proxy';
import type { Bindable, Database, SqlValue, Transaction } from '../index.js';

/** A schema as `drizzle()` of any driver takes it: tables and relations by name. */
export type Schema = Record<string, unknown>;
type Method = 'run' | 'all' | 'values' | 'get';
/** What Drizzle hands to a transaction's function. */
type DrizzleTransaction<S extends Schema> = Parameters<Parameters<SqliteRemoteDatabase<S>['transaction']>[0]>[0];

/**
 * The database as Drizzle knows it: its queries, relational ones too, `batch`, and `transaction`, which takes its turn to write at once.
 *
 * @example
 * const db = drizzle(await open('app.db'), { schema });
 * await db.insert(todos).values({ title: 'milk' });
 * await db.transaction(async tx => { … });
 */
export function drizzle<S extends Schema = Record<string, never>>(database: Database, config: DrizzleConfig<S> = {}): SqliteRemoteDatabase<S> {
  const db = over(database, config);
  db.transaction = (work, { behavior } = {}) =>
    database.transaction(tx => work(inside(tx, config, 0)), { mode: behavior === 'deferred' ? 'deferred' : 'immediate' });
  return db;
}

/** What `drizzle-kit generate` writes for drivers without a file system (`driver: 'expo'`): `migrations.js`. */
export interface BundledMigrations {
  /** Which migrations there are, in order. */
  journal: { entries: readonly { idx: number; when: number; tag: string; breakpoints: boolean }[] };
  /** Their SQL, by the names `m0000`, `m0001` and so on. */
  migrations: Readonly<Record<string, string>>;
}

/**
 * Carries out what is missing of the bundled migrations, all in one transaction, whichever tab comes first.
 *
 * @throws {Error} naming a migration that the journal has and the bundle has not; otherwise the error of the statement that failed: the database is as it was.
 * @example import migrations from './drizzle/migrations.js'; await migrate(database, migrations);
 */
export async function migrate(database: Database, { journal, migrations }: BundledMigrations, table = '__drizzle_migrations'): Promise<void> {
  const name = `"${table.replaceAll('"', '""')}"`;
  const steps = journal.entries.map(({ idx, when, tag }) => {
    const sql = migrations[`m${String(idx).padStart(4, '0')}`];
    if (sql === undefined) throw new Error(`migrate: the migration ${tag} is in the journal and not in the bundle: run drizzle-kit generate again`);
    return { when, statements: sql.split('--> statement-breakpoint') };
  });
  await database.transaction(async tx => {
    await tx.exec(`CREATE TABLE IF NOT EXISTS ${name} (id INTEGER PRIMARY KEY, hash TEXT NOT NULL, created_at NUMERIC)`);
    const { last } = await tx.get<{ last: number }>(`SELECT coalesce(max(created_at), 0) AS last FROM ${name}`) ?? { last: 0 };
    for (const { when, statements } of steps) {
      if (when <= last) continue;
      for (const sql of statements) await tx.exec(sql);
      await tx.run(`INSERT INTO ${name} (hash, created_at) VALUES ('', ?)`, [when]);
    }
  }, { retries: 10, timeout: 60_000 });
}

/** Inside a transaction: savepoints for those within, as SQLite has them. */
function inside<S extends Schema>(tx: Transaction, config: DrizzleConfig<S>, depth: number): DrizzleTransaction<S> {
  const savepoint = `tabhub_${depth}`;
  const scope = over(tx, config);
  scope.transaction = async work => {
    await tx.exec(`SAVEPOINT ${savepoint}`);
    try {
      const result = await work(inside(tx, config, depth + 1));
      await tx.exec(`RELEASE ${savepoint}`);
      return result;
    } catch (error) {
      await tx.exec(`ROLLBACK TO ${savepoint}; RELEASE ${savepoint}`);
      throw error;
    }
  };
  return Object.assign(scope, { rollback(): never { throw new TransactionRollbackError(); } }) as unknown as DrizzleTransaction<S>;
}

/** Drizzle's rows are arrays, so that columns of equal names stay apart. */
function over<S extends Schema>(queries: Database | Transaction, config: DrizzleConfig<S>): SqliteRemoteDatabase<S> {
  const one: AsyncRemoteCallback = async (sql, params: Bindable[], method) =>
    answer(method, await queries.query<SqlValue[]>(sql, params, { rowMode: 'array' }));
  const many: AsyncBatchRemoteCallback = async batch => {
    const results = await queries.batch<SqlValue[]>(batch.map(({ sql, params }) => [sql, params as Bindable[]]), { rowMode: 'array' });
    return results.map((result, at) => answer(batch[at]?.method ?? 'all', result));
  };
  return overProxy(one, many, config);
}

/** `get` wants the one row itself; what `run` answers reaches the caller as it is. */
function answer(method: Method, { rows, changes, lastInsertRowid }: { rows: SqlValue[][]; changes: number; lastInsertRowid: number | bigint }) {
  if (method === 'run') return { rows, changes, lastInsertRowid };
  return { rows: method === 'get' ? rows[0] as SqlValue[] : rows };
}
