/**
 * A client's session with one hub: says hello, numbers the requests, hands each response to its exchange, and notices when the hub is
 * gone. `client.ts`, `transaction.ts` and the streams send through it. It knows frames and lives, not SQL.
 */
import { decodeResponse, encodeRequest, type PayloadPart } from './codec.js';
import type { Connection, Environment, Receiver } from './environment.js';
import { HubError, fromWire, reason } from './errors.js';
import { Exchange, cancelled, type ExchangeOptions, type Reply } from './exchange.js';
import type { LogEvent, OpenOptions } from './options.js';
import { PROTOCOL_VERSION, type Bodies, type Op, type Outcome, type Response } from './protocol.js';
import { BUILD } from './version.js';

const HELLO_DEADLINE_MS = 10_000;
const CLOSE_DEADLINE_MS = 5_000;
/** Without Web Locks nothing tells that a hub died: then a call without a timeout waits as long as the hub's own default. */
const LOCKLESS_TIMEOUT_MS = 30_000;

/** `open`: ready. `lost`: the hub is gone. `failed`: the hub gave up, or does not speak our protocol. `closed`: by `close()`. */
export type State = 'open' | 'lost' | 'failed' | 'closed';

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
  /** tabhub's version, of the hub. */
  version: string;
  /** SQLite's version. */
  sqlite: string;
}

export interface SessionEvents { log(event: LogEvent): void; status(status: Status): void }

/** What a session is opened with: the checked options, with every default filled in. */
export type SessionOptions = Required<Pick<OpenOptions, 'persistence' | 'durability'>> & { database: string; url: string };

export class Session {
  readonly #env: Environment;
  readonly #options: SessionOptions;
  readonly #events: SessionEvents;
  readonly #exchanges = new Map<number, Exchange>();
  readonly #connection: Connection;
  /** Aborted at the end of the session: releases the tab's lock and leaves the queue of the hub's. */
  readonly #life = new AbortController();
  #lastId = 0;
  #hub = '';
  #status: Status | undefined;
  /** Set once: why nothing can be sent any more. */
  #over: HubError | undefined;
  #closing: Promise<void> | undefined;

  /** Connects and says hello. Rejects with `HUB_LOAD_FAILED`, `HUB_LOAD_TIMEOUT`, `HUB_PROTOCOL` or what the hub answers. */
  static async open(env: Environment, options: SessionOptions, events: SessionEvents): Promise<Session> {
    if (env.missing) throw new HubError('HUB_UNSUPPORTED', `tabhub cannot run here: ${env.missing}`);
    const session = new Session(env, options, events);
    try {
      await session.#hello();
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
    const receiver: Receiver = { message: data => this.#receive(data), loadFailed: () => this.#loadFailed() };
    try {
      this.#connection = env.connect(options.url, `tabhub:${options.database}`, receiver);
    } catch (cause) {
      throw this.#loadError(cause);
    }
  }

  get status(): Status {
    // A Session is handed out only after the hub's welcome.
    return { ...this.#status as Status };
  }

  /** Sends a request whose replies are a stream. Throws when the session is over or the signal has been aborted already. */
  exchange(op: Op, parts: readonly PayloadPart[], options: ExchangeOptions): Exchange {
    if (this.#over) throw seenBy(options, this.#over, 'not-applied');
    if (options.signal?.aborted) throw cancelled(options);
    const id = ++this.#lastId;
    const frame = encodeRequest({ id, op }, parts);
    const timeout = options.timeout ?? (this.#env.locks ? undefined : LOCKLESS_TIMEOUT_MS);
    const exchange = new Exchange(id, { ...options, timeout }, {
      timer: (ms, callback) => this.#env.timer(ms, callback),
      note: note => this.note(note),
      settled: () => this.#exchanges.delete(id),
    });
    this.#exchanges.set(id, exchange);
    this.#connection.send(frame);
    return exchange;
  }

  /** One request, one answer, which must be of `kind`. */
  async request<K extends keyof Bodies>(
    kind: K, op: Op, parts: readonly PayloadPart[], options: ExchangeOptions,
  ): Promise<{ answer: Bodies[K]; payload: Uint8Array }> {
    const reply = await this.exchange(op, parts, options).next();
    return { answer: expect(kind, reply, options), payload: reply.payload };
  }

  /** Sends a message that wants no reply. */
  note(op: Op, parts: readonly PayloadPart[] = []): void {
    if (!this.#life.signal.aborted) this.#connection.send(encodeRequest({ id: 0, op }, parts));
  }

  /** Ends the session. What is still under way is answered by the hub, or fails with `HUB_CLOSED`. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    if (!this.#over) await this.#goodbye();
    this.#setState('closed');
  }

  async #goodbye(): Promise<void> {
    const goodbye = this.exchange({ close: {} }, [], { what: 'close', writes: false });
    const closed = new HubError('HUB_CLOSED', 'the database was closed by this tab; open it again');
    this.#over = closed;
    const late = new HubError('HUB_TIMEOUT', `the hub did not confirm close within ${CLOSE_DEADLINE_MS} ms; it is closed here all the same`);
    const stop = this.#env.timer(CLOSE_DEADLINE_MS, () => goodbye.fail(late));
    try {
      await goodbye.next();
    } catch (error) {
      // A hub that is gone holds nothing of ours any more.
      if ((error as HubError).code !== 'HUB_LOST') throw error;
    } finally {
      stop();
      this.#end('closed', closed);
    }
  }

  async #hello(): Promise<void> {
    const { database, url, persistence, durability } = this.#options;
    const client = this.#env.uuid();
    let awaited = 'the Web Lock of this tab';
    const late = (): void => this.#end('failed', new HubError('HUB_LOAD_TIMEOUT', `waited ${HELLO_DEADLINE_MS} ms for ${awaited}; worker: ${url}`));
    const stop = this.#env.timer(HELLO_DEADLINE_MS, late);
    try {
      const lock = await this.#holdLock(`tabhub:${database}:tab:${client}`);
      awaited = "the hub's answer to hello";
      const hello = { protocol: PROTOCOL_VERSION, client, lock, build: BUILD, persistence, durability };
      const { answer } = await this.request('welcome', { hello }, [], { what: 'hello', writes: false });
      const { protocol, ...about } = answer;
      if (protocol !== PROTOCOL_VERSION) {
        throw new HubError('HUB_PROTOCOL', `the hub speaks protocol ${protocol}, this client ${PROTOCOL_VERSION}; serve tabhub.js and hub.js of one version`);
      }
      this.#status = { state: 'open', mode: 'shared', hub: this.#hub, ...about };
      this.#watchHub();
    } finally {
      stop();
    }
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

  /** The hub holds this lock for its life, so being granted it means that the hub is gone. */
  #watchHub(): void {
    const name = `tabhub:${this.#options.database}:hub:${this.#hub}`;
    this.#env.locks?.request(name, { mode: 'shared', signal: this.#life.signal }, () => this.#end('lost', lostError('the hub is gone')))
      .catch(cause => {
        if (!this.#over) this.#log({ level: 'warn', message: `the hub's life cannot be watched: ${reason(cause)}` });
      });
  }

  #receive(data: unknown): void {
    // Browser extensions and developer tools may post to any port; every frame of the hub is an ArrayBuffer.
    if (!(data instanceof ArrayBuffer) || this.#life.signal.aborted) return;
    let frame;
    try {
      frame = decodeResponse(data);
    } catch (error) {
      // Which call it answered cannot be told, so none can be trusted to be answered.
      return this.#end('failed', error as HubError);
    }
    this.#dispatch(frame.response, frame.payload);
  }

  #dispatch({ hub, re, body }: Response, payload: Uint8Array): void {
    if ('fatal' in body) return this.#end('failed', fromWire(body.fatal));
    if ('log' in body) return this.#log(body.log);
    if ('welcome' in body) this.#hub ||= hub;
    // WebKit restarts a killed hub on its old ports without a word: what the old one was asked is lost.
    if (this.#hub && hub !== this.#hub) return this.#end('lost', lostError('another hub took over this port'));
    // The hub could not tell which request it refused, so some call would wait for ever.
    if ('error' in body && re === 0) return this.#end('failed', fromWire(body.error));
    // No exchange: a reply that came after its call had given up.
    this.#exchanges.get(re)?.receive(body, payload);
  }

  #log(event: LogEvent): void {
    this.#env.log(this.#options.database, event);
    this.#events.log(event);
  }

  #end(state: State, error: HubError): void {
    if (this.#life.signal.aborted) return;
    this.#over = error;
    for (const exchange of [...this.#exchanges.values()]) {
      exchange.fail(seenBy(exchange.options, error, exchange.options.writes ? 'unknown' : 'not-applied'));
    }
    this.#life.abort();
    this.#connection.close();
    this.#setState(state);
  }

  #setState(state: State): void {
    if (!this.#status || this.#status.state === state) return;
    this.#status.state = state;
    this.#events.status(this.status);
  }

  #loadFailed(): void {
    // After the welcome the script evidently runs; some engines report its later errors here too.
    if (this.#status) this.#log({ level: 'error', message: 'the worker reported an error without a message' });
    else this.#end('failed', this.#loadError());
  }

  #loadError(cause?: unknown): HubError {
    const why = cause === undefined ? 'it is missing, of a wrong MIME type, blocked by the CSP, or does not run' : reason(cause);
    return new HubError('HUB_LOAD_FAILED', `the worker script could not be loaded: ${this.#options.url} (${why})`, { cause });
  }
}

/** The reason for the session's end as one call sees it: with its own outcome and its own SQL. */
function seenBy(call: ExchangeOptions, { code, message, cause }: HubError, outcome: Outcome): HubError {
  return new HubError(code, message, { outcome, sql: call.sql, cause });
}

/** The body of a reply, which must be of `kind`. */
export function expect<K extends keyof Bodies>(kind: K, { body }: Reply, { what, writes, sql }: ExchangeOptions): Bodies[K] {
  const answer = (body as Partial<Bodies>)[kind];
  if (answer !== undefined) return answer;
  const outcome = writes ? 'unknown' : 'not-applied';
  throw new HubError('HUB_PROTOCOL', `the hub answered ${what} with '${Object.keys(body)[0]}' instead of '${kind}'`, { outcome, sql });
}

function lostError(why: string): HubError {
  return new HubError('HUB_LOST', `${why}; open the database again`);
}
