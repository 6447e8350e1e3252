/**
 * One connection to one hub: says hello, tells the hub's frames from others, and notices when the hub is gone. `session.ts` makes one
 * for each hub in turn. It never repeats anything: with its hub it is over.
 */
import { Bundler, unbundle } from './bundle.js';
import { decodeResponse, encodeRequest } from './codec.js';
import type { Connection, Environment } from './environment.js';
import { HubError, fromWire, reason } from './errors.js';
import { expect } from './exchange.js';
import type { LogEvent } from './options.js';
import { PROTOCOL_VERSION, hubLock, type Bodies, type Body, type Op, type Response } from './protocol.js';
import { Pulse } from './pulse.js';
import { readMessage, type Message } from './transport/messages.js';
import type { Route } from './transport/route.js';
import { BUILD, FORMAT } from './version.js';

/** The same on every port: what is repeated on it, after the hello, has larger ids. */
export const HELLO_ID = 1;

export type Welcome = Bodies['welcome'];
/** What the session says of itself in hello; the rest is the link's. */
export type Greeting = Omit<Extract<Op, { hello: unknown }>['hello'], 'protocol' | 'format' | 'lock' | 'build'>;

/** The longest that a worker may take to load, and to wait for its turn, while it shows signs of life. */
const LOAD_MS = 60_000;
/** What a hub says that is over, where the next one can go on. */
export const OVER: readonly string[] = ['HUB_FENCED', 'HUB_REPLACED', 'HUB_POISONED', 'HUB_PANICKED'];

/** What the session learns from a link. After `lost` and `failed` nothing comes any more. */
export interface LinkEvents {
  reply(to: number, body: Body, payload: Uint8Array): void;
  log(event: LogEvent): void;
  storage(event: Bodies['storage']): void;
  /** The hub is gone; another one may be reached. `isSucceeded`: it has taken the other's place on the same connection. */
  lost(why: string, isSucceeded: boolean): void;
  /** The hub gave up, or cannot be understood. */
  failed(error: HubError): void;
  /** Whether the hub owes anything. */
  isAwaited(): boolean;
}

export class Link {
  /** The hub instance; empty until its welcome. */
  hub = '';
  readonly #env: Environment;
  readonly #url: string;
  readonly #events: LinkEvents;
  readonly #connection: Connection;
  readonly #bundler: Bundler;
  readonly #pulse: Pulse;
  /** Aborted at the end: leaves the queue of the hub's lock. */
  readonly #life = new AbortController();
  /** Until the welcome, why there will be none goes here instead of to the session. */
  #hello: { resolve(welcome: Welcome): void; reject(error: HubError): void } | undefined;

  /** Called at a sign of life of a worker that is not ready yet. */
  #starting: (() => void) | undefined;

  /** Throws `HUB_LOAD_FAILED` with the platform's reason. */
  constructor(env: Environment, url: string, route: Route, events: LinkEvents) {
    this.#env = env;
    this.#url = url;
    this.#events = events;
    this.#pulse = new Pulse(env, {
      ping: () => this.#connection.ping(),
      isAwaited: () => events.isAwaited(),
      silent: ms => this.#lose(`the hub has given no sign of life for ${ms} ms`),
    });
    try {
      this.#connection = route.connect({
        message: data => this.#receive(data),
        loadFailed: () => this.#loadFailed(),
        cut: why => this.#cut(why),
        failed: error => this.#fail(error),
      });
    } catch (cause) {
      throw this.#loadError(cause);
    }
    this.#bundler = new Bundler(message => this.#connection.send(message));
  }

  /**
   * Says hello once the tab's lock is held. A sign of life, at the latest the welcome, must come within `ms`, and then within `ms` of the
   * last one. Rejects with `HUB_LOAD_FAILED`, `HUB_LOAD_TIMEOUT`, `HUB_PROTOCOL` or what the hub answers.
   */
  hello(lock: Promise<string>, greeting: Greeting, ms: number): Promise<Welcome> {
    let awaited = 'the Web Lock of this tab';
    const within = (ms: number): () => void => this.#env.timer(ms, () => {
      this.#fail(new HubError('HUB_LOAD_TIMEOUT', `waited ${ms} ms for ${awaited}; worker: ${this.#url}`));
    });
    const stopAll = within(LOAD_MS);
    let stop = within(ms);
    this.#starting = () => { stop(); stop = within(ms); };
    const welcome = new Promise<Welcome>((resolve, reject) => { this.#hello = { resolve, reject } });
    lock.then(name => {
      awaited = "the hub's answer to hello";
      this.send(encodeRequest({ id: HELLO_ID, op: { hello: { protocol: PROTOCOL_VERSION, format: FORMAT, ...greeting, lock: name, build: BUILD } } }));
    }, error => this.#fail(error as HubError));
    return welcome.finally(() => { stop(); stopAll(); this.#starting = undefined; });
  }

  /** The hub holds this lock for its life, so being granted it means that the hub is gone. */
  watch(database: string): void {
    this.#pulse.expect();
    const options = { mode: 'shared', signal: this.#life.signal } as const;
    this.#env.locks?.request(hubLock(database, this.hub), options, () => this.#lose('the hub is gone'))
      .catch(cause => {
        if (!this.#life.signal.aborted) this.#events.log({ level: 'warn', message: `the hub's life cannot be watched: ${reason(cause)}` });
      });
  }

  /** It goes out before this task ends, together with what else is sent in it. A frame larger than `FRAME_BYTES_MAX` is transferred. */
  send(frame: ArrayBuffer): void {
    if (this.#life.signal.aborted) return;
    this.#bundler.add(frame);
    if (this.hub) this.#pulse.expect();
  }

  /** Lets go of the hub; a hello that waits for its answer rejects with `error`. May be called again. */
  close(error: HubError): void {
    if (this.#life.signal.aborted) return;
    this.#bundler.flush();
    this.#life.abort();
    this.#pulse.end();
    this.#connection.close();
    this.#hello?.reject(error);
  }

  #receive(data: unknown): void {
    if (this.#life.signal.aborted) return;
    this.#pulse.heard();
    if (!(data instanceof ArrayBuffer)) {
      // Browser extensions and developer tools may post to any port, too.
      const message = readMessage(data);
      if (message) this.#notice(message);
      return;
    }
    let frames;
    try {
      frames = unbundle(data).map(frame => decodeResponse(frame));
    } catch (error) {
      // Which call it answered cannot be told, so none can be trusted to be answered.
      return this.#fail(error as HubError);
    }
    for (const { response, payload } of frames) {
      // The one before may have ended the connection.
      if (!this.#life.signal.aborted) this.#dispatch(response, payload);
    }
  }

  /** What the worker says by itself. */
  #notice(message: Message): void {
    if (message.tabhub !== 'starting') return;
    if (this.hub && message.hub !== this.hub) return this.#lose('another hub took over the port of the one before', true);
    this.#pulse.heard(message.yields);
    this.#starting?.();
  }

  #dispatch({ hub, re, body }: Response, payload: Uint8Array): void {
    // WebKit restarts a killed hub on its old ports without a word: what the old one was asked is lost.
    if (this.hub && hub !== this.hub) return this.#lose('another hub took over the port of the one before', true);
    if ('fatal' in body) return this.#fatal(fromWire(body.fatal));
    if ('log' in body) return this.#events.log(body.log);
    if ('storage' in body) return this.#events.storage(body.storage);
    // The hub could not tell which request it refused, so some call would wait for ever.
    if ('error' in body && (re === 0 || !this.hub)) return this.#fail(fromWire(body.error));
    if (this.hub) return this.#events.reply(re, body, payload);
    this.#welcomed(hub, body, payload);
  }

  #welcomed(hub: string, body: Body, payload: Uint8Array): void {
    try {
      const welcome = expect('welcome', { body, payload }, { what: 'hello', writes: false });
      if (welcome.protocol !== PROTOCOL_VERSION) {
        throw new HubError('HUB_PROTOCOL', `the hub speaks protocol ${welcome.protocol}, this client ${PROTOCOL_VERSION}; serve tabhub.js and hub.js of one version`);
      }
      this.hub = hub;
      this.#hello?.resolve(welcome);
      this.#hello = undefined;
    } catch (error) {
      this.#fail(error as HubError);
    }
  }

  #fatal(error: HubError): void {
    if (this.hub && OVER.includes(error.code)) this.#lose(`the hub is over: ${error.message} (${error.code})`);
    else this.#fail(error);
  }

  #lose(why: string, isSucceeded = false): void {
    if (this.#life.signal.aborted) return;
    this.close(new HubError('HUB_LOST', why));
    this.#events.lost(why, isSucceeded);
  }

  #fail(error: HubError): void {
    if (this.#life.signal.aborted) return;
    const welcomed = !this.#hello;
    this.close(error);
    if (welcomed) this.#events.failed(error);
  }

  #cut(why: string): void {
    if (this.hub) this.#lose(why);
    else this.#fail(new HubError('HUB_LOST', why));
  }

  #loadFailed(): void {
    // After the welcome the script evidently runs; some engines report its later errors here too.
    if (this.hub) this.#events.log({ level: 'error', message: 'the worker reported an error without a message' });
    else this.#fail(this.#loadError());
  }

  #loadError(cause?: unknown): HubError {
    const why = cause === undefined ? 'it is missing, of a wrong MIME type, blocked by the CSP, or does not run' : reason(cause);
    return new HubError('HUB_LOAD_FAILED', `the worker script could not be loaded: ${this.#url} (${why})`, { cause });
  }
}
