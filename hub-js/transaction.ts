/**
 * Interactive transactions: `db.transaction(async tx => …)`. The hub holds the transaction; here are its begin, its end and the guard
 * against using it afterwards. Called by `client.ts`.
 */
import { HubError } from './errors.js';
import { cancelled, expect, type ExchangeOptions } from './exchange.js';
import type { Link } from './link.js';
import { KNOWN, checkOptions, type TransactionOptions } from './options.js';
import type { Op } from './protocol.js';
import { Queries, type Send } from './queries.js';
import type { Session } from './session.js';

const IDLE_TIMEOUT_MS = 5_000;

/** A running transaction. Its statements see each other's work; no other tab's statement comes in between. */
export class Transaction extends Queries {
  /** @internal */
  constructor(send: Send, tx: number) {
    super(send, { tx });
  }

  /** Always rejects: SQLite has no nested transactions. Use `SAVEPOINT` and `RELEASE` through `exec`. */
  async transaction(): Promise<never> {
    throw new HubError('HUB_TRANSACTION_NESTED', 'this is a transaction already; use SAVEPOINT and RELEASE inside it');
  }
}

/** Runs `work` inside a transaction: commits when it resolves, rolls back when it throws and throws the same. */
export async function runTransaction<T>(session: Session, work: (tx: Transaction) => T | Promise<T>, options?: TransactionOptions): Promise<T> {
  const { retries = 0, ...checked } = checkOptions(options, KNOWN.transaction, 'transaction');
  for (let retried = 0; ; retried++) {
    try {
      return await runOnce(session, work, checked);
    } catch (error) {
      const isLost = error instanceof HubError && error.code === 'HUB_TRANSACTION_LOST' && error.outcome === 'not-applied';
      if (!isLost || retried >= retries) throw error;
    }
  }
}

async function runOnce<T>(session: Session, work: (tx: Transaction) => T | Promise<T>, options: TransactionOptions): Promise<T> {
  const { mode = 'immediate', timeout = IDLE_TIMEOUT_MS, signal, durability } = options;
  if (typeof work !== 'function') throw new HubError('HUB_BAD_REQUEST', 'transaction: the first argument must be an async function');
  const about: ExchangeOptions = { what: 'transaction', writes: false, signal };
  const { tx, link } = await begin(session, { begin: { mode, timeout: Math.ceil(timeout) } }, about);

  let open = true;
  const send: Send = async (kind, op, parts, call) => {
    if (!open) {
      const message = `${call.what}: the transaction is over; await its statements inside its function`;
      throw new HubError('HUB_TRANSACTION_CLOSED', message, { sql: call.sql });
    }
    return session.request(kind, op, parts, { ...call, link, signal: call.signal ?? signal });
  };
  try {
    const result = await abortable(() => work(new Transaction(send, tx)), about);
    open = false;
    const commit = { tx, ...(durability && { durability }) };
    await session.request('done', { commit }, [], { what: 'commit', writes: mode !== 'read', link });
    return result;
  } catch (error) {
    open = false;
    await rollback(session, tx, link);
    throw error;
  }
}

/** Begins and answers the transaction's number, and the connection that it lives on. An abort stops it in the queue; if it came too late, what began is rolled back. */
async function begin(session: Session, op: Op, about: ExchangeOptions): Promise<{ tx: number; link: Link | undefined }> {
  if (about.signal?.aborted) throw cancelled(about);
  const exchange = session.exchange(op, [], { ...about, what: 'begin', signal: undefined });
  const stop = (): void => exchange.stop();
  about.signal?.addEventListener('abort', stop);
  try {
    const { tx } = expect('begun', await exchange.next(), about);
    return { tx, link: exchange.sentTo };
  } finally {
    exchange.abandon();
    about.signal?.removeEventListener('abort', stop);
  }
}

/** `work`'s own end, or its signal's abort if that comes first. */
async function abortable<T>(work: () => T | Promise<T>, about: ExchangeOptions): Promise<T> {
  const { signal } = about;
  if (!signal) return work();
  if (signal.aborted) throw cancelled(about);
  let stop: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(cancelled(about));
    signal.addEventListener('abort', stop);
  });
  try {
    return await Promise.race([work(), aborted]);
  } finally {
    if (stop) signal.removeEventListener('abort', stop);
  }
}

/** Rolls back what may still be open. Nothing is after a timeout, a commit that failed, or the hub's end. */
async function rollback(session: Session, tx: number, link: Link | undefined): Promise<void> {
  try {
    await session.request('done', { rollback: { tx } }, [], { what: 'rollback', writes: false, link });
  } catch (error) {
    if (!(error instanceof HubError)) throw error;
  }
}
