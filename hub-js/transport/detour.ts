/**
 * A connection whose other end may not be there yet, or may turn out to be elsewhere. It keeps what is sent until the hub has said
 * something, and sends it again wherever it is led. Used by the routes; it knows no frame from another.
 */
import type { Connection, Environment, Receiver } from '../environment.js';
import { HubError } from '../errors.js';
import { hubLock } from '../protocol.js';
import { connectOverChannel } from './channel.js';
import { readMessage } from './messages.js';

/** Makes a connection that delivers to `receiver`. */
export type Way = (receiver: Receiver) => Connection;

export class Detour implements Connection {
  readonly #env: Environment;
  readonly #database: string;
  readonly #receiver: Receiver;
  /** What was sent before the hub said anything; undefined once it did. */
  #unheard: ArrayBuffer[] | undefined = [];
  #inner: Connection | undefined;
  /** How often it was led somewhere. */
  #turns = 0;
  /** Where it was led, if that is over a channel. */
  #hub = '';
  /** Aborted when it is closed. */
  readonly #life = new AbortController();

  constructor(env: Environment, database: string, receiver: Receiver) {
    this.#env = env;
    this.#database = database;
    this.#receiver = receiver;
  }

  /** Leads it another way, unless the hub has been heard already: then that is another hub's, and the connection is cut. Throws what `way` throws. */
  lead(way: Way): void {
    if (this.#life.signal.aborted) return;
    if (!this.#unheard) return this.cut('another hub has taken over the database');
    this.#inner?.close();
    this.#inner = way(this.#from(++this.#turns));
    for (const frame of this.#unheard) this.#inner.send(frame.slice(0));
  }

  /** Leads it to a hub that this tab has no port to. */
  leadTo(hub: string): void {
    if (hub === this.#hub) return;
    this.#hub = hub;
    const { channel } = this.#env;
    if (channel) {
      this.lead(receiver => connectOverChannel({ ...this.#env, channel }, this.#database, hub, receiver));
      return this.#watch(hub);
    }
    this.fail(new HubError('HUB_UNREACHABLE', `the database is open in another worker (hub ${hub}), and this browser has no BroadcastChannel to reach it: close the other tabs`));
  }

  /** It may be dying while others still speak of it. */
  #watch(hub: string): void {
    const turn = this.#turns;
    const { signal } = this.#life;
    this.#env.locks?.request(hubLock(this.#database, hub), { mode: 'shared', signal }, () => {
      if (turn === this.#turns) this.cut('the hub is gone');
    }).catch(() => {
      // The connection was closed.
    });
  }

  send(frame: ArrayBuffer): void {
    this.#unheard?.push(this.#inner ? frame.slice(0) : frame);
    this.#inner?.send(frame);
  }

  ping(): void {
    this.#inner?.ping();
  }

  close(): void {
    this.#life.abort();
    this.#inner?.close();
    this.#inner = undefined;
  }

  loadFailed(): void {
    this.#receiver.loadFailed();
  }

  cut(why: string): void {
    this.#over(() => this.#receiver.cut(why));
  }

  fail(error: HubError): void {
    this.#over(() => this.#receiver.failed(error));
  }

  #over(tell: () => void): void {
    if (this.#life.signal.aborted) return;
    this.close();
    tell();
  }

  /** What comes from an end that is left already is of no interest. */
  #from(turn: number): Receiver {
    const current = <Args extends unknown[]>(act: (...args: Args) => void) => (...args: Args): void => {
      if (!this.#life.signal.aborted && turn === this.#turns) act(...args);
    };
    return {
      message: current((data: unknown) => this.#receive(data)),
      loadFailed: current(() => this.loadFailed()),
      cut: current((why: string) => this.cut(why)),
      failed: current((error: HubError) => this.fail(error)),
    };
  }

  #receive(data: unknown): void {
    // Whatever it says, it is a sign of life.
    this.#receiver.message(data);
    if (data instanceof ArrayBuffer) {
      this.#unheard = undefined;
      return;
    }
    const message = readMessage(data);
    if (message?.tabhub === 'elsewhere') this.leadTo(message.hub);
  }
}
