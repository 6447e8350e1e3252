/**
 * A client's session with the database: through one hub, and when that is lost, through the next. `client.ts`, `transaction.ts` and the
 * streams send through it. It knows lives, not frames (`link.ts`), not what is repeated (`outstanding.ts`), and no SQL.
 */
import { encodeRequest, type PayloadPart } from './codec.js';
import type { Environment } from './environment.js';
import { HubError, reason } from './errors.js';
import { Exchange, cancelled, expect, seenBy, type ExchangeOptions, type Line } from './exchange.js';
import { Link, type LinkEvents, type Welcome } from './link.js';
import type { LogEvent, OpenOptions } from './options.js';
import { Outstanding, transactionLost } from './outstanding.js';
import type { Bodies, Op, StorageState } from './protocol.js';

const CLOSE_DEADLINE_MS = 5_000;
/** The longest a hub may take to answer hello. */
const HELLO_DEADLINE_MS = 10_000;
/** How long another hub is looked for. */
const RECONNECT_MS = 30_000;
/** What the first attempt to find another is given, and the pause after it; then always twice as long. */
const ATTEMPT_MS = 1_000;
const PAUSE_MS = 250;
/** What a hub says that is over. Its worker says it to whoever comes, and ends within a second: the next one is fresh. */
const OVER = ['HUB_FENCED', 'HUB_POISONED', 'HUB_PANICKED'];
/** What may be better at the next attempt: a network that is down, a storage that the last hub still holds. */
const PASSING = [...OVER, 'HUB_LOAD_FAILED', 'HUB_LOAD_TIMEOUT', 'HUB_STORAGE', 'HUB_STORAGE_UNAVAILABLE'];
const FAREWELL_MS = 1_500;
/** Without Web Locks nothing tells that a hub died: then a call without a timeout waits as long as the hub's own default. */
const LOCKLESS_TIMEOUT_MS = 30_000;

/**
 * `open`: ready. `reconnecting`: the hub is gone and another is looked for; calls wait for it. `lost`: none was found. `failed`: the hub
 * gave up, or does not speak our protocol. `closed`: by `close()`.
 */
export type State = 'open' | 'reconnecting' | 'lost' | 'failed' | 'closed';

/** What the hub said about itself, and how the session stands. */
export interface Status {
  state: State;
  /** How the hub is reached. */
  mode: 'shared';
  /** The hub instance: another one, another id. */
  hub: string;
  /** Grows by one with each hub that took over the database. */
  epoch: number;
  /** `memory` only if `persistence: 'preferred'` was asked for and nothing can be stored. */
  persistence: 'indexeddb' | 'memory';
  /**
   * How the hub stands with its storage. `reconnecting`: it lost its connection and tries again. `stalled`: the browser does not answer.
   * In both, writes wait. `read-only`: something stored is damaged; writes fail with `HUB_CORRUPT`.
   */
  storage: StorageState;
  /** tabhub's version, of the hub. */
  version: string;
  /** SQLite's version. */
  sqlite: string;
}

export interface SessionEvents { log(event: LogEvent): void; status(status: Status): void }

/** What a session is opened with: the checked options, with every default filled in. */
export type SessionOptions = Required<Pick<OpenOptions, 'persistence' | 'durability'>> & { database: string; url: string; cache: { cache_bytes?: number; cache_blocks?: number } };

export class Session {
  readonly #env: Environment;
  readonly #options: SessionOptions;
  readonly #events: SessionEvents;
  readonly #client: string;
  readonly #outstanding = new Outstanding();
  readonly #line: Omit<Line, 'settled'>;
  /** The tab's lock, held for the session's whole life: its name. */
  readonly #lock: Promise<string>;
  /** Aborted at the end of the session: releases the tab's lock, ends the search for a hub. */
  readonly #life = new AbortController();
  /** To the hub, or to the one that was asked for last. */
  #link: Link | undefined;
  /** Whether the hub has said welcome and may be sent requests. */
  #ready = false;
  #status: Status | undefined;
  /** The database's newest commit when it was opened. */
  #since = 0;
  /** Set once: why nothing can be sent any more. */
  #over: HubError | undefined;
  #closing: Promise<void> | undefined;

  /** Connects and says hello. Rejects with `HUB_LOAD_FAILED`, `HUB_LOAD_TIMEOUT`, `HUB_PROTOCOL` or what the hub answers. */
  static async open(env: Environment, options: SessionOptions, events: SessionEvents): Promise<Session> {
    if (env.missing) throw new HubError('HUB_UNSUPPORTED', `tabhub cannot run here: ${env.missing}`);
    const session = new Session(env, options, events);
    try {
      await session.#connect(HELLO_DEADLINE_MS).catch(error => session.#connectAfter(error as HubError));
      return session;
    } catch (error) {
      session.#end('failed', error as HubError);
      throw error;
    }
  }

  private constructor(env: Environment, options: SessionOptions, events: SessionEvents) {
    this.#env = env;
    this.#options = options;
    this.#events = events;
    this.#client = env.uuid();
    this.#line = { timer: (ms, callback) => env.timer(ms, callback), note: (op, parts) => this.#note(op, parts) };
    this.#lock = this.#holdLock(`tabhub:${options.database}:tab:${this.#client}`);
    // Each hello awaits it; there may be none.
    this.#lock.catch(() => {});
  }

  get status(): Status {
    // A Session is handed out only after the hub's welcome.
    return { ...this.#status as Status };
  }

  /**
   * Sends a request whose replies are a stream; while there is no hub, it waits for one. Throws when the session is over, the signal has
   * been aborted already, or the request belongs to a transaction that is gone with its hub.
   */
  exchange(op: Op, parts: readonly PayloadPart[], options: ExchangeOptions): Exchange {
    if (this.#over) throw seenBy(options, this.#over, 'not-applied');
    if (options.link && !(this.#ready && options.link === this.#link)) throw transactionLost(options);
    if (options.signal?.aborted) throw cancelled(options);
    const timeout = options.timeout ?? (this.#env.locks ? undefined : LOCKLESS_TIMEOUT_MS);
    const exchange = this.#outstanding.add(op, parts, { ...options, timeout }, this.#line);
    if (this.#ready && this.#link) this.#outstanding.send(exchange.id, this.#link);
    return exchange;
  }

  /** One request, one answer, which must be of `kind`. */
  async request<K extends keyof Bodies>(
    kind: K, op: Op, parts: readonly PayloadPart[], options: ExchangeOptions,
  ): Promise<{ answer: Bodies[K]; payload: Uint8Array }> {
    const exchange = this.exchange(op, parts, options);
    try {
      const reply = await exchange.next();
      return { answer: expect(kind, reply, options), payload: reply.payload };
    } finally {
      // An answer of another kind may not be its last.
      exchange.abandon();
    }
  }

  /** Ends the session. What is still under way is answered by the hub, or fails with `HUB_CLOSED`. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    if (this.#ready) await this.#goodbye();
    this.#end('closed', closedError());
    this.#setState('closed');
  }

  async #goodbye(): Promise<void> {
    const goodbye = this.exchange({ close: {} }, [], { what: 'close', writes: false });
    this.#over = closedError();
    const late = new HubError('HUB_TIMEOUT', `the hub did not confirm close within ${CLOSE_DEADLINE_MS} ms; it is closed here all the same`);
    const stop = this.#env.timer(CLOSE_DEADLINE_MS, () => goodbye.fail(late));
    try {
      await goodbye.next();
    } catch (error) {
      // A hub that is gone holds nothing of ours any more.
      if ((error as HubError).code !== 'HUB_LOST') throw error;
    } finally {
      stop();
      this.#end('closed', closedError());
    }
  }

  /** From nothing, or from a hub that is lost, to a hub that has been sent everything that waits: within `ms`. */
  async #connect(ms: number): Promise<void> {
    const { persistence, durability, cache } = this.#options;
    const again = this.#status !== undefined;
    const link = this.#link = new Link(this.#env, this.#options, again, this.#linkEvents());
    const first = { client: this.#client, persistence, durability, ...cache };
    // A hub that keeps nothing cannot go on for one that stored.
    const next = { ...first, persistence: 'required', resume: { since: this.#since, last: this.#outstanding.lastSent, epoch: this.#status?.epoch ?? 0 } } as const;
    this.#adopt(link, await link.hello(this.#lock, again ? next : first, ms));
  }

  #adopt(link: Link, { protocol: _, commit, ...about }: Welcome): void {
    // Closed in the moment that the welcome came.
    if (this.#over) throw this.#over;
    const again = this.#status !== undefined;
    if (!again) this.#since = commit;
    this.#ready = true;
    this.#outstanding.sendAll(link);
    link.watch(this.#options.database);
    this.#status = { mode: 'shared', ...about, hub: link.hub, state: this.#status?.state ?? 'open' };
    this.#setState('open');
    if (again) this.#log({ level: 'info', message: `going on with hub ${link.hub}` });
  }

  #linkEvents(): LinkEvents {
    return {
      // No exchange: a reply that came after its call had given up.
      reply: (to, body, payload) => this.#outstanding.get(to)?.receive(body, payload),
      log: event => this.#log(event),
      storage: event => this.#storageIs(event),
      lost: why => this.#lost(why),
      failed: error => this.#end('failed', error),
    };
  }

  #lost(why: string): void {
    this.#ready = false;
    if (this.#over) return this.#end('closed', lostError(why));
    if (this.#status?.persistence === 'memory') return this.#end('lost', lostError(`${why}, and with it the database, which was in memory only`));
    this.#outstanding.hubLost(why);
    this.#setState('reconnecting');
    this.#log({ level: 'warn', message: `${why}; looking for another` });
    void this.#reconnect(why);
  }

  async #reconnect(why: string): Promise<void> {
    let last = 'none answered';
    const giveUp = (): void => this.#end('lost', lostError(`${why}, and no other was found within ${RECONNECT_MS} ms: ${last}`));
    const stop = this.#env.timer(RECONNECT_MS, giveUp);
    try {
      for (let times = 1; !this.#over; times *= 2) {
        try {
          return await this.#connect(Math.min(times * ATTEMPT_MS, HELLO_DEADLINE_MS));
        } catch (error) {
          if (!PASSING.includes((error as HubError).code)) return this.#end('failed', error as HubError);
          last = reason(error);
        }
        await this.#pause(times * PAUSE_MS);
      }
    } finally {
      stop();
    }
  }

  /** Once more, where it was a hub's farewell that was met. */
  async #connectAfter(error: HubError): Promise<void> {
    if (!OVER.includes(error.code)) throw error;
    await this.#pause(FAREWELL_MS);
    await this.#connect(HELLO_DEADLINE_MS);
  }

  /** Until `ms` have passed, or the session is over. */
  #pause(ms: number): Promise<void> {
    return new Promise(resolve => {
      const { signal } = this.#life;
      const stop = this.#env.timer(ms, () => { signal.removeEventListener('abort', over); resolve() });
      const over = (): void => { stop(); resolve() };
      signal.addEventListener('abort', over);
    });
  }

  /** Takes the lock by whose release the hub learns that this tab is gone. Answers its name, or '' where there are no locks. */
  #holdLock(name: string): Promise<string> {
    const { locks } = this.#env;
    if (!locks) return Promise.resolve('');
    return new Promise((resolve, reject) => {
      const over = new Promise<void>(release => this.#life.signal.addEventListener('abort', () => { release(); reject(this.#over) }));
      locks.request(name, () => { resolve(name); return over })
        .catch(cause => reject(new HubError('HUB_UNSUPPORTED', `the browser refused this tab a Web Lock: ${reason(cause)}`, { cause })));
    });
  }

  /** Sends a message that wants no reply; one for a hub that is gone is of no use to the next. */
  #note(op: Op, parts: readonly PayloadPart[] = []): void {
    if (this.#ready) this.#link?.send(encodeRequest({ id: 0, op }, parts));
  }

  #storageIs({ state, message }: Bodies['storage']): void {
    this.#log({ level: state === 'ok' ? 'info' : 'warn', message });
    if (!this.#status || this.#status.storage === state) return;
    this.#status.storage = state;
    this.#events.status(this.status);
  }

  #log(event: LogEvent): void {
    this.#env.log(this.#options.database, event);
    this.#events.log(event);
  }

  #end(state: State, error: HubError): void {
    if (this.#life.signal.aborted) return;
    this.#over = error;
    this.#ready = false;
    this.#outstanding.end(error);
    this.#life.abort();
    this.#link?.close(error);
    this.#setState(state);
  }

  #setState(state: State): void {
    if (!this.#status || this.#status.state === state) return;
    this.#status.state = state;
    this.#events.status(this.status);
  }
}

function closedError(): HubError {
  return new HubError('HUB_CLOSED', 'the database was closed by this tab; open it again');
}

function lostError(why: string): HubError {
  return new HubError('HUB_LOST', `${why}; open the database again`);
}
