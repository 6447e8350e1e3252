/**
 * Which tab is the leader. In tabhub every tab may write and nothing depends on it, but the ancestor's users do things in one tab only by it. Where a tab
 * hosts the hub, it is that tab; where a SharedWorker does, it is the tab that holds a Web Lock, and when that goes, the next. Called by `database.ts`.
 */
import { HubError, type Database } from '../index.js';

/** What the ancestor's leases lasted. A Web Lock has none: it is held until its tab goes. */
const LEASE_MS = 5_000;

/** Who is the leader. */
export interface LeaderInfo {
  /** Whether it is this tab. */
  isLeader: boolean;
  /** The hub's id where a tab hosts it, otherwise the browser's id of the tab; '' while there is no leader. */
  leaderId: string;
  /** Milliseconds since 1970: the leader as of now is good for so long. Ask again for a newer one. */
  leaseExpiry: number;
}

export class Leadership {
  readonly #db: Database;
  readonly #locks: LockManager | undefined;
  readonly #name: string;
  readonly #waiting = new Set<() => void>();
  /** What it stands with: in the queue, or holding the lock. */
  #stand = new AbortController();
  #held: AbortController | undefined;
  #release = (): void => {};
  #isOver = false;

  constructor(db: Database) {
    this.#db = db;
    this.#name = `tabhub-leader:${db.name}`;
    this.#locks = globalThis.navigator?.locks;
    db.on('status', () => this.#tell());
    void this.#queue();
  }

  async isLeader(): Promise<boolean> {
    const { role } = this.#db.status;
    if (role !== 'client') return role === 'leader';
    // What was asked for before, here or in another tab, is decided and known before this is answered.
    await this.#holder();
    return this.#held !== undefined;
  }

  /** Resolves when this tab is the leader; rejects with `HUB_TIMEOUT` after `ms`. */
  async wait(ms: number): Promise<void> {
    const deadline = Date.now() + ms;
    while (!await this.isLeader()) {
      const left = deadline - Date.now();
      if (left <= 0) throw new HubError('HUB_TIMEOUT', `waitForLeadership: another tab is the leader, for ${ms} ms now. Every tab may write: there is no need to wait for it`);
      await this.#change(left);
    }
  }

  /** Makes this tab the leader. Where a tab hosts the hub, it stays with that one. */
  async request(): Promise<void> {
    if (this.#db.status.role !== 'client' || this.#held) return;
    this.#stand.abort();
    this.#stand = new AbortController();
    void this.#run({ steal: true });
    await this.wait(LEASE_MS);
  }

  async info(): Promise<LeaderInfo> {
    const isLeader = await this.isLeader();
    const { role, hub } = this.#db.status;
    const leaderId = role === 'client' ? await this.#holder() ?? '' : hub;
    return { isLeader, leaderId, leaseExpiry: Date.now() + LEASE_MS };
  }

  end(): void {
    this.#isOver = true;
    this.#stand.abort();
    this.#release();
  }

  /** Queues for the lock, or takes it from whoever has it; when it is taken away, queues again. */
  async #run(options: LockOptions): Promise<void> {
    if (!this.#locks) return;
    const stand = this.#stand;
    try {
      await this.#locks.request(this.#name, options, () => new Promise<void>(release => {
        if (this.#isOver) return release();
        this.#release = release;
        this.#held = stand;
        this.#tell();
      }));
    } catch (error) {
      // Another tab has asked for it; or this one waits no longer.
      if (!(error instanceof DOMException) || error.name !== 'AbortError') throw error;
    }
    if (this.#held !== stand) return;
    this.#held = undefined;
    if (!this.#isOver) await this.#queue();
  }

  async #queue(): Promise<void> {
    this.#stand = new AbortController();
    await this.#run({ signal: this.#stand.signal });
  }

  /** The browser's id of the tab that holds the lock. */
  async #holder(): Promise<string | undefined> {
    if (!this.#locks) throw new HubError('HUB_UNSUPPORTED', 'this browser has no Web Locks, so no tab is the leader. Every tab may write all the same');
    const { held = [] } = await this.#locks.query();
    return held.find(({ name }) => name === this.#name)?.clientId;
  }

  #tell(): void {
    for (const wake of [...this.#waiting]) wake();
  }

  /** Until something may have changed, but no longer than `ms`. */
  #change(ms: number): Promise<void> {
    return new Promise(resolve => {
      const wake = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, ms);
      this.#waiting.add(wake);
    });
  }
}
