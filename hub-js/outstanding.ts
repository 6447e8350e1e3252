/**
 * The requests that have not been answered: numbers them, keeps the frames of those that another hub could be asked again, and
 * decides what becomes of each when a hub is lost. `session.ts` owns one for its life. It never decides when to send.
 */
import { FRAME_BYTES_MAX } from './bundle.js';
import { encodeRequest, type PayloadPart } from './codec.js';
import { HubError } from './errors.js';
import { Exchange, type ExchangeOptions, type Line } from './exchange.js';
import { HELLO_ID, type Link } from './link.js';
import type { Op, Request } from './protocol.js';

/** A request that so many hubs did not survive is not put to one more: it may be what they die of. */
const HUBS_MAX = 5;

interface Call {
  exchange: Exchange;
  frame: ArrayBuffer;
  /** Its number among the writes; 0 for others. */
  write: number;
  /** Whether any hub can carry it out, so that its frame must be kept. */
  repeatable: boolean;
  /** How many hubs it was sent to. */
  hubs: number;
}

export class Outstanding {
  /** In order of id. */
  readonly #calls = new Map<number, Call>();
  /** The numbers of the writes among them, in order. */
  readonly #writes = new Set<number>();
  #lastId = HELLO_ID;
  #lastWrite = 0;
  #lastSent = 0;

  /** Numbers a request and keeps it until it is answered. Throws `HUB_LIMIT` for one that is too large. */
  add(op: Op, parts: readonly PayloadPart[], options: ExchangeOptions, line: Omit<Line, 'settled'>): Exchange {
    const id = this.#lastId + 1;
    const write = options.writes && !options.stream ? this.#lastWrite + 1 : 0;
    const request: Request = write ? { id, write, answered: this.#answered, op } : { id, op };
    const frame = encodeRequest(request, parts);
    const settled = (): void => {
      this.#calls.delete(id);
      this.#writes.delete(write);
    };
    this.#lastId = id;
    if (write) this.#writes.add(this.#lastWrite = write);
    const exchange = new Exchange(id, options, { ...line, settled });
    this.#calls.set(id, { exchange, frame, write, repeatable: write > 0 || !options.stream && !options.link, hubs: 0 });
    return exchange;
  }

  get(id: number): Exchange | undefined {
    return this.#calls.get(id)?.exchange;
  }

  /** How many there are. */
  get size(): number {
    return this.#calls.size;
  }

  /** The highest number of a write that a hub may have seen. */
  get lastSent(): number {
    return this.#lastSent;
  }

  /** Sends one request, which must not have been sent to this hub yet. */
  send(id: number, link: Link): void {
    const call = this.#calls.get(id);
    if (!call) return;
    const { exchange, frame, write, repeatable } = call;
    call.hubs += 1;
    this.#lastSent = Math.max(this.#lastSent, write);
    exchange.sentTo = link;
    // Sending takes a large frame's buffer away.
    link.send(repeatable && frame.byteLength > FRAME_BYTES_MAX ? frame.slice(0) : frame);
    if (exchange.stopping) exchange.stop();
  }

  /** Sends everything, in order, to a hub that knows nothing of it. */
  sendAll(link: Link): void {
    for (const id of [...this.#calls.keys()]) this.send(id, link);
  }

  /** The hub that everything was sent to is gone: fails what no other can go on with. */
  hubLost(why: string): void {
    for (const { exchange, repeatable, hubs } of [...this.#calls.values()]) {
      const { what, link } = exchange.options;
      if (link && !repeatable) exchange.fail(transactionLost(exchange.options));
      else if (!repeatable) exchange.end(new HubError('HUB_LOST', `${why} in the middle of ${what}; start it again`));
      else if (hubs >= HUBS_MAX) exchange.end(new HubError('HUB_LOST', `${why}, the ${HUBS_MAX}th with this ${what} under way; it is not asked for again`));
    }
  }

  /** The session is over: everything fails. */
  end(error: HubError): void {
    for (const { exchange } of [...this.#calls.values()]) exchange.end(error);
  }

  /** All writes up to this one have been answered, or given up. */
  get #answered(): number {
    const [first = this.#lastWrite + 1] = this.#writes;
    return first - 1;
  }
}

/** The error of a statement whose transaction went with its connection. */
export function transactionLost({ what, sql }: ExchangeOptions): HubError {
  return new HubError('HUB_TRANSACTION_LOST', `${what}: the transaction is gone with its hub, or with the connection to it; nothing of it was applied, so run it again`, { sql });
}
