/**
 * A client's session with the database: through one hub, and when that is lost, through the next. `client.ts`, `transaction.ts` and the
 * streams send through it. It knows lives, not frames (`link.ts`), not what is repeated (`outstanding.ts`), and no SQL.
 */
import { encodeRequest, type PayloadPart } from './codec.js';
import type { Environment, PageEvent } from './environment.js';
import { HubError, reason } from './errors.js';
import { type Exchange, cancelled, expect, seenBy, type ExchangeOptions, type Line } from './exchange.js';
import { find } from './found.js';
import { Link, OVER, type LinkEvents, type Welcome } from './link.js';
import type { LogEvent, OpenOptions } from './options.js';
import { Outstanding, transactionLost } from './outstanding.js';
import { FAREWELL_MS, type Bodies, type Op } from './protocol.js';
import type { Failover, Outdated, State, Status } from './status.js';
import { TabLock } from './tab-lock.js';
import { routeTo, type Route } from './transport/route.js';
import { ABOUT, BUILD, isNewer } from './version.js';

const CLOSE_DEADLINE_MS = 5_000;
/** How long each attempt to open may be without any sign of life; after two the worker is taken for wedged. 10 s in all. */
const OPEN_MS = [3_000, 3_000, 4_000];
/** The longest that any attempt may be without one. */
const HELLO_MS = 10_000;
/** How long another hub is looked for. */
const RECONNECT_MS = 30_000;
/** What the first attempt to find another is given, and the pause after it; then always twice as long. */
const ATTEMPT_MS = 1_000;
const PAUSE_MS = 250;
/** What a hub says to whoever comes before its worker has ended: another worker is to be asked. */
const ENDED = [...OVER, 'HUB_DELETED'];
/** What may be better at the next attempt: the hub ended in that moment, or did not stir. */
const MISSED = ['HUB_LOST', 'HUB_LOAD_TIMEOUT'];
/** To open; who begins does not mind what was deleted. */
const OPENING = [...ENDED, ...MISSED];
/** To go on: also a network that is down, a storage that the last hub still holds. */
const PASSING = [...OVER, ...MISSED, 'HUB_LOAD_FAILED', 'HUB_STORAGE', 'HUB_STORAGE_UNAVAILABLE'];
/** Without Web Locks nothing tells that a hub died: then a call without a timeout waits as long as the hub's own default. */
const LOCKLESS_TIMEOUT_MS = 30_000;

export interface SessionEvents { log(event: LogEvent): void; status(status: Status): void; failover(event: Failover): void; outdated(event: Outdated): void }

/** What a session is opened with: the checked options, with every default filled in. */
export type SessionOptions = Required<Pick<OpenOptions, 'mode' | 'persistence' | 'durability' | 'trace'>> & { database: string; url: string; cache: { cache_bytes?: number; cache_blocks?: number } };

export class Session {
  readonly #env: Environment;
  readonly #options: SessionOptions;
  readonly #events: SessionEvents;
  readonly #route: Route;
  readonly #client: string;
  readonly #outstanding = new Outstanding();
  readonly #line: Omit<Line, 'settled'>;
  readonly #lock: TabLock;
  readonly #stopListening: () => void;
  /** Whether the page is in the back/forward cache, or frozen: it cannot look for a hub then. */
  #isAside = false;
  /** Ends a pause. */
  #wake = (): void => {};
  /** Aborted at the end of the session: ends the search for a hub. */
  readonly #life = new AbortController();
  /** To the hub, or to the one that was asked for last. */
  #link: Link | undefined;
  /** Whether the hub has said welcome and may be sent requests. */
  #ready = false;
  #status: Status | undefined;
  /** The hub that was lost, as long as no other is found. */
  #lostHub: { hub: string; why: string; at: number } | undefined;
  /** The database's newest commit when it was opened. */
  #since = 0;
  /** Set once: why nothing can be sent any more. */
  #over: HubError | undefined;
  #closing: Promise<void> | undefined;

  /** Connects and says hello. Rejects with `HUB_LOAD_FAILED`, `HUB_LOAD_TIMEOUT`, `HUB_PROTOCOL` or what the hub answers. */
  static async open(env: Environment, options: SessionOptions, events: SessionEvents): Promise<Session> {
    const session = new Session(env, options, events);
    try {
      await session.#connectFirst();
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
    this.#route = routeTo(env, options, options.mode);
    this.#client = env.uuid();
    this.#line = { timer: (ms, callback) => env.timer(ms, callback), note: (op, parts) => this.note(op, parts) };
    this.#lock = new TabLock(env, `tabhub:${options.database}:tab:${this.#client}`);
    this.#stopListening = env.page.listen(event => this.#pageIs(event));
  }

  get status(): Status {
    // A Session is handed out only after the hub's welcome.
    return { ...this.#status as Status };
  }

  /** Whether it has ended, and no hub is looked for any more. */
  get isOver(): boolean {
    return this.#over !== undefined;
  }

  get isVisible(): boolean {
    return this.#env.page.isVisible;
  }

  /** Calls back after `ms`; the answer cancels. */
  timer(ms: number, callback: () => void): () => void {
    return this.#env.timer(ms, callback);
  }

  /**
   * Sends a request whose replies are a stream; while there is no hub, it waits for one. Throws when the session is over, the signal has
   * been aborted already, or the request belongs to a transaction that is gone with its hub.
   */
  exchange(op: Op, parts: readonly PayloadPart[], options: ExchangeOptions): Exchange {
    if (this.#over) throw seenBy(options, this.#over, 'not-applied');
    if (options.link && !(this.#ready && options.link === this.#link)) throw transactionLost(options);
    if (options.signal?.aborted) throw cancelled(options);
    const timeout = options.timeout ?? (this.#env.locks || options.isPatient ? undefined : LOCKLESS_TIMEOUT_MS);
    const onSettled = this.#options.trace ? this.#env.measure(`tabhub ${options.what}`, { database: this.#options.database, sql: options.sql }) : undefined;
    const exchange = this.#outstanding.add(op, parts, { ...options, timeout, onSettled }, this.#line);
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

  async #connectFirst(): Promise<void> {
    const begun = this.#env.now();
    for (const [at, ms] of OPEN_MS.entries()) {
      try {
        return await this.#connect(ms);
      } catch (error) {
        const isLast = at === OPEN_MS.length - 1 || this.#env.now() - begun >= HELLO_MS;
        if (isLast || !OPENING.includes((error as HubError).code)) throw error;
      }
    }
  }

  /** From nothing, or from a hub that is lost, to a hub that has been sent everything that waits. A sign of life must come within `ms`. */
  async #connect(ms: number): Promise<void> {
    const { persistence, durability, cache } = this.#options;
    const again = this.#status !== undefined;
    const link = this.#link = new Link(this.#env, this.#options.url, this.#route, this.#linkEvents());
    const first = { client: this.#client, persistence, durability, ...cache };
    // A hub that keeps nothing cannot go on for one that stored.
    const next = { ...first, persistence: 'required', resume: { since: this.#since, last: this.#outstanding.lastSent, epoch: this.#status?.epoch ?? 0 } } as const;
    try {
      this.#adopt(link, await link.hello(this.#lock.held, again ? next : first, ms));
    } catch (error) {
      const { code } = error as HubError;
      if (ENDED.includes(code)) this.#route.lost(false);
      if (code === 'HUB_OUTDATED') this.#events.outdated({ page: BUILD, hub: reason(error) });
      throw error;
    }
  }

  #adopt(link: Link, { protocol, format, commit, ...about }: Welcome): void {
    // Closed in the moment that the welcome came.
    if (this.#over) throw this.#over;
    this.#refuseAnother(link.hub, about.epoch);
    if (!this.#status) this.#since = commit;
    this.#ready = true;
    this.#outstanding.sendAll(link);
    link.watch(this.#options.database);
    this.#route.adopted(link.hub, about.epoch);
    const { mode, role } = this.#route;
    const found = this.#status?.found ?? this.#found(link.hub, about, commit);
    this.#status = { mode, role, ...about, hub: link.hub, found, state: this.#status?.state ?? 'open' };
    this.#setState('open');
    if (isNewer({ build: about.version, protocol, format }, ABOUT)) this.#events.outdated({ page: BUILD, hub: about.version });
    this.#tellFailover(link.hub);
  }

  /** What is in memory only is begun anew each time. */
  #found(hub: string, { epoch, persistence }: Pick<Status, 'epoch' | 'persistence'>, commit: number): Status['found'] {
    return find(persistence === 'memory' ? null : this.#env.storage, this.#options.database, { hub, epoch, commit });
  }

  /** Each hub of a database has a higher epoch than the one before; a database that was deleted and begun anew counts from 1 again. */
  #refuseAnother(hub: string, epoch: number): void {
    if (!this.#status || this.#status.hub === hub || this.#status.epoch < epoch) return;
    throw new HubError('HUB_DELETED', 'the database was deleted and begun anew; open it again');
  }

  #tellFailover(to: string): void {
    if (!this.#lostHub) return;
    const { hub: from, why, at } = this.#lostHub;
    this.#lostHub = undefined;
    const ms = this.#env.now() - at;
    this.#log({ level: 'info', message: `going on with hub ${to} after ${ms} ms` });
    this.#events.failover({ from, to, why, ms });
  }

  #linkEvents(): LinkEvents {
    return {
      // No exchange: a reply that came after its call had given up.
      reply: (to, body, payload) => this.#outstanding.get(to)?.receive(body, payload),
      log: event => this.#log(event),
      storage: event => this.#storageIs(event),
      lost: (why, isSucceeded) => this.#lost(why, isSucceeded),
      failed: error => this.#end('failed', error),
      isAwaited: () => this.#outstanding.size > 0,
    };
  }

  #lost(why: string, isSucceeded: boolean): void {
    this.#ready = false;
    this.#route.lost(isSucceeded);
    if (this.#over) return this.#end('closed', lostError(why));
    if (this.#status?.persistence === 'memory') return this.#end('lost', lostError(`${why}, and with it the database, which was in memory only`));
    this.#lostHub = { hub: this.#link?.hub ?? '', why, at: this.#env.now() };
    this.#outstanding.hubLost(why);
    this.#setState('reconnecting');
    this.#log({ level: 'warn', message: `${why}; looking for another` });
    void this.#reconnect(why);
  }

  async #reconnect(why: string): Promise<void> {
    let last = 'none answered';
    let stop = (): void => {};
    const giveUpLater = (): void => {
      stop = this.#env.timer(RECONNECT_MS, () => {
        // A page that is put aside has not looked for one.
        if (this.#isAside) return giveUpLater();
        this.#end('lost', lostError(`${why}, and no other was found within ${RECONNECT_MS} ms: ${last}`));
      });
    };
    giveUpLater();
    try {
      for (let times = 1; !this.#over; times *= 2) {
        try {
          return await this.#connect(Math.min(times * ATTEMPT_MS, HELLO_MS));
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

  /** Until `ms` have passed, the page is back from where it was put aside, or the session is over. */
  #pause(ms: number): Promise<void> {
    return new Promise(resolve => {
      const { signal } = this.#life;
      const end = (): void => { stop(); signal.removeEventListener('abort', end); resolve(); };
      const stop = this.#env.timer(ms, end);
      signal.addEventListener('abort', end);
      this.#wake = end;
    });
  }

  #pageIs(event: PageEvent): void {
    if (event === 'visibility' || event === 'storage') return;
    this.#isAside = event === 'hide' || event === 'freeze';
    if (event === 'show') this.#comeBack();
    if (!this.#isAside) this.#wake();
  }

  /** In the cache a page may have lost its lock without a word, and with it the hub's attention: it says hello once more. */
  #comeBack(): void {
    const why = 'the page was put aside and is back';
    this.#lock.renew(lostError(why));
    // Where none is ready, the attempt under way fails by this and is made again.
    this.#link?.close(lostError(why));
    if (this.#ready) this.#lost(why, true);
  }

  /** Sends a message that wants no reply; one for a hub that is gone is of no use to the next. */
  note(op: Op, parts: readonly PayloadPart[] = []): void {
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
    this.#stopListening();
    this.#lock.release(error);
    this.#link?.close(error);
    // The worker that this tab may host tells the other tabs of the deletion; they would take its end for a hand-over.
    if (error.code === 'HUB_DELETED') this.#env.timer(FAREWELL_MS, () => this.#route.close());
    else this.#route.close();
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
