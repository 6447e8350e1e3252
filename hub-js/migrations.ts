/**
 * Migrations: what a database must go through to have the schema that the page wants. Called by `open.ts`. Whichever tab comes first carries them
 * out, in one transaction of the hub's, and `PRAGMA user_version` says how far they have come.
 */
import type { Database } from './client.js';
import { HubError, reason } from './errors.js';
import type { Transaction } from './transaction.js';

/** One step. */
export interface Migration {
  /** From 1, each higher than the one before. */
  version: number;
  /** A script of SQL, or what is to be done in the transaction that all of them share. */
  up: string | ((tx: Transaction) => void | Promise<void>);
}

/** A large table may take its time. */
const STEP_MS = 600_000;
const VERSION_MAX = 2 ** 31 - 1;

/** Throws `HUB_BAD_OPTION` naming the step that is unfit. */
export function checkMigrations(migrations: unknown): string | undefined {
  if (!Array.isArray(migrations)) return 'must be a list of { version, up }';
  let last = 0;
  for (const [at, migration] of (migrations as Partial<Migration>[]).entries()) {
    const { version, up } = migration ?? {};
    if (!Number.isInteger(version) || version as number <= last || version as number > VERSION_MAX) {
      return `has at ${at} no version that is a whole number above ${last}`;
    }
    if (typeof up !== 'function' && typeof up !== 'string') return `has at ${at} an 'up' that is neither SQL nor a function`;
    last = version as number;
  }
  return undefined;
}

/**
 * Rejects with `HUB_SCHEMA_NEWER` where the database has been further than these lead, and with `HUB_MIGRATION_FAILED` where one fails: then the
 * database is as it was.
 */
export async function migrate(db: Database, migrations: readonly Migration[]): Promise<void> {
  const last = migrations.at(-1)?.version ?? 0;
  if (await versionOf(db, last) === last) return;
  let step = 0;
  try {
    await db.transaction(async tx => {
      const stored = await versionOf(tx, last);
      for (const { version, up } of migrations) {
        if (version <= stored) continue;
        step = version;
        if (typeof up === 'string') await tx.exec(up, { timeout: STEP_MS });
        else await up(tx);
      }
      // Another tab may have come first.
      if (stored < last) await tx.exec(`PRAGMA user_version = ${last}`);
    }, { retries: 10, timeout: STEP_MS });
  } catch (error) {
    if (step === 0) throw error;
    throw new HubError('HUB_MIGRATION_FAILED', `the migration to version ${step} failed, and the database is as it was: ${reason(error)}`, {
      ...(error instanceof HubError && { outcome: error.outcome, sql: error.sql, sqlite: error.sqlite, offset: error.offset }), cause: error,
    });
  }
}

async function versionOf(db: Database | Transaction, last: number): Promise<number> {
  const row = await db.get<{ user_version: number }>('PRAGMA user_version');
  const version = row?.user_version ?? 0;
  if (version > last) {
    throw new HubError('HUB_SCHEMA_NEWER', `the database has version ${version}, and the migrations of this page end at ${last}: reload to get the newer page`);
  }
  return version;
}
