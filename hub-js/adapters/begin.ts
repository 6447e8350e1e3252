/**
 * A transaction that one call begins and another ends, for APIs that say BEGIN and COMMIT where tabhub takes a function. Used by `kysely.ts` and
 * `../compat/`. It holds no more than `db.transaction` does: left alone, it is rolled back after `timeout` ms like any other.
 */
import type { Database, Transaction, TransactionOptions } from '../index.js';

export interface BegunTransaction {
  /** Its statements. */
  readonly tx: Transaction;
  /** Resolves when it is durable; rejects when nothing of it was applied. */
  commit(): Promise<void>;
  /** Never rejects: a transaction that cannot be reached any more is rolled back as well. */
  rollback(): Promise<void>;
}

/** Resolves when it has its turn to write. Rejects as `db.transaction` does. */
export async function beginTransaction(db: Database, options?: TransactionOptions): Promise<BegunTransaction> {
  let commit!: () => void;
  let rollback!: () => void;
  const ended = new Promise<void>((resolve, reject) => {
    commit = resolve;
    rollback = () => reject(new Error('rolled back'));
  });
  let done!: Promise<void>;
  const tx = await new Promise<Transaction>((resolve, reject) => {
    done = db.transaction(tx => { resolve(tx); return ended; }, options);
    done.catch(reject);
  });
  return {
    tx,
    commit() { commit(); return done; },
    async rollback() { rollback(); await done.catch(() => {}); },
  };
}
