/**
 * Which of several workers has a database open: of other URLs, other builds, other modes, or left behind by their tabs. One Web Lock per
 * database says so; whoever finds it taken asks the owner over BroadcastChannel, which stays, or makes room for a newer build.
 * Used by `worker.ts` before it starts a hub. A mistake here costs time and nothing else: the epoch in the storage decides who may commit.
 */
import type { Channel } from './environment.js';
import { hold } from './hold.js';
import { hubLock } from './protocol.js';
import { readMessage, type About } from './transport/messages.js';
import { isNewer } from './version.js';

/** How long an answer is waited for before the lock is tried again: at first, and at most. */
const PAUSE_MS = 10;
const PAUSE_MS_MAX = 250;
/** An owner that makes room finishes first, for 2 s at most. */
const YIELD_MS = 5_000;
/** Without Web Locks only an answer tells of an owner, so this is how long one is waited for. */
const LOCKLESS_MS = 150;
/** How long an owner may be silent that no tab is with. */
const ALONE_MS = 3_000;

type Locks = Pick<LockManager, 'request' | 'query'>;

export interface OwnershipOptions {
  database: string;
  /** This worker's hub. */
  hub: string;
  /** What it is built of. */
  about: About;
  locks: Locks | undefined;
  channel: Channel | undefined;
  /** How long an owner may be silent before it is taken for wedged. */
  patienceMs: number;
  /** A newer build asks for the database. */
  onAsked(): void;
  /** Another worker has taken us for wedged. */
  onStolen(): void;
}

export class Ownership {
  readonly #options: OwnershipOptions;
  #isOwner = false;
  #release: (() => void) | undefined;
  /** Called with the hub that stays, or with none if it makes room. */
  #answered: ((hub: string | undefined) => unknown) | undefined;

  constructor(options: OwnershipOptions) {
    this.#options = options;
    options.channel?.addEventListener('message', ({ data }) => this.#receive(data));
  }

  /** Makes the database ours; or answers the hub whose it is and stays. */
  async take(): Promise<string | undefined> {
    const { locks, patienceMs } = this.#options;
    const begun = performance.now();
    for (let pause = locks ? PAUSE_MS : LOCKLESS_MS; ; pause = Math.min(2 * pause, PAUSE_MS_MAX)) {
      // It is asked for anew each time and not queued for: a frozen page would keep a lock that somebody queues for.
      if (locks && await this.#hold(locks, { ifAvailable: true })) break;
      const answer = await this.#ask(pause);
      if (answer?.hub) return answer.hub;
      if (!locks && !answer) break;
      // What makes room is not frozen, and whoever comes meanwhile, of the older build perhaps, must not be first.
      if (locks && answer && await this.#queue(locks)) break;
      const waited = performance.now() - begun;
      if (waited < Math.min(patienceMs, ALONE_MS) || waited < patienceMs && locks && await this.#hasTabs(locks)) continue;
      if (locks) await this.#hold(locks, { steal: true });
      break;
    }
    this.#isOwner = true;
    return undefined;
  }

  /** Lets the next one have it. */
  release(): void {
    this.#isOwner = false;
    this.#release?.();
  }

  /** Whether the lock became ours while its owner makes room. */
  async #queue(locks: Locks): Promise<boolean> {
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), YIELD_MS);
    try {
      return await this.#hold(locks, { signal: late.signal });
    } catch (error) {
      if (late.signal.aborted) return false;
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /**
   * Whether any tab is with the owner: each waits for the lock that tells of its hub's death. WebKit puts a SharedWorker aside with its last page,
   * for a way back, frozen with all its locks: that one is not busy with anybody's statement.
   */
  async #hasTabs(locks: Locks): Promise<boolean> {
    const { held = [], pending = [] } = await locks.query();
    const owner = held.find(({ name }) => name === this.#name)?.clientId;
    const hub = held.find(({ name, clientId }) => clientId === owner && name?.startsWith(hubLock(this.#options.database, '')))?.name;
    return pending.some(({ name }) => name === hub);
  }

  /** Whether the lock is ours now. It is held until `release`, or until the worker ends. */
  async #hold(locks: Locks, how: LockOptions): Promise<boolean> {
    this.#release = await hold(locks, this.#name, how, () => this.#stolen());
    return this.#release !== undefined;
  }

  get #name(): string {
    return `tabhub:${this.#options.database}:owner`;
  }

  #stolen(): void {
    if (this.#isOwner) this.#options.onStolen();
  }

  /** The owner's answer, if there is one within `ms`: the hub that stays, or none if it makes room. */
  #ask(ms: number): Promise<{ hub: string | undefined } | undefined> {
    const { channel, hub, about } = this.#options;
    return new Promise(resolve => {
      let answer: { hub: undefined } | undefined;
      const end = setTimeout(() => resolve(answer), ms);
      this.#answered = stays => {
        // What makes room needs the time.
        if (stays === undefined) return answer = { hub: undefined };
        clearTimeout(end);
        return resolve({ hub: stays });
      };
      channel?.postMessage({ tabhub: 'yield', from: hub, ...about });
    });
  }

  #receive(data: unknown): void {
    const message = readMessage(data);
    if (!message) return;
    const { hub, about, channel, onAsked } = this.#options;
    if (message.tabhub === 'here' && message.hub !== hub) this.#answered?.(message.hub);
    if (message.tabhub === 'yielding') this.#answered?.(undefined);
    if (message.tabhub !== 'yield' || !this.#isOwner) return;
    if (!isNewer(message, about)) return channel?.postMessage({ tabhub: 'here', hub, ...about });
    channel?.postMessage({ tabhub: 'yielding', hub });
    onAsked();
  }
}
