/**
 * The lease on a database: a line in localStorage that says which tab hosts the hub, renewed for as long as it does. This is what one
 * tab sees of it. `election.ts` owns a watch. It never reads or writes the line itself, and never says who may commit: only the epoch
 * in IndexedDB does.
 */

/** `holder` is the session that hosts; empty where it handed over. `epoch` rises with every holder; `expires` is by the holder's clock. */
export interface Lease {
  holder: string;
  epoch: number;
  expires: number;
}

/** `moved`: another holder, or the same with another hub. `freed`: handed over. `cleared`: somebody emptied the storage, which says nothing about the holder. */
export type LeaseChange = 'none' | 'renewed' | 'moved' | 'freed' | 'cleared';

export class LeaseWatch {
  readonly #ttlMs: number;
  #lease: Lease | null | undefined;
  /** When its holder last gave a sign of life, by this tab's clock. */
  signAt = -Infinity;
  /** From then on its holder may be dead. */
  staleAt = Infinity;

  constructor(ttlMs: number) {
    this.#ttlMs = ttlMs;
  }

  /**
   * The clocks of two tabs may differ by minutes, so a lease is stale once it has stood unchanged for its time by the clock of the one who
   * looks. What it says itself counts only at first sight, where a dead holder of long ago should not cost that time.
   */
  look(lease: Lease | null, now: number): LeaseChange {
    const before = this.#lease;
    if (before !== undefined && same(before, lease)) return 'none';
    this.#lease = lease;
    this.sign(now);
    if (before !== undefined) return change(before, lease);
    this.signAt = -Infinity;
    if (lease) this.staleAt = Math.max(now, Math.min(this.staleAt, lease.expires));
    return 'none';
  }

  /** As it was last seen, or written. */
  get lease(): Lease | null {
    return this.#lease ?? null;
  }

  /** What this tab wrote itself is no news. */
  wrote(lease: Lease): void {
    this.#lease = lease;
  }

  /** The holder, or its hub, was heard. */
  sign(now: number): void {
    this.signAt = now;
    this.staleAt = now + this.#ttlMs;
  }
}

function same(a: Lease | null, b: Lease | null): boolean {
  return a?.holder === b?.holder && a?.epoch === b?.epoch && a?.expires === b?.expires;
}

function change(before: Lease | null, after: Lease | null): LeaseChange {
  if (!after) return 'cleared';
  if (!after.holder) return 'freed';
  return after.holder === before?.holder && after.epoch === before.epoch ? 'renewed' : 'moved';
}
