/**
 * One request and its replies: a single one, or a stream of them with credits. Made by `outstanding.ts`, consumed by whoever asked.
 * It owns the call's deadline and its AbortSignal; what the replies mean is the consumer's business.
 */
import type { PayloadPart } from './codec.js';
import { HubError, fromWire } from './errors.js';
import type { Link } from './link.js';
import type { Bodies, Body, Op, Outcome } from './protocol.js';

/** How much longer than the hub the client waits, so that the hub's own, better informed error arrives first. */
export const GRACE_MS = 5_000;

export interface ExchangeOptions {
  /** What is awaited, for messages: `query`, `import`, … */
  what: string;
  /** Whether the database may be changed by it: decides what an abort may claim, and the outcome when the hub is lost. */
  writes: boolean;
  /** Whether several replies or parts belong to it: then no other hub can go on with it. */
  stream?: boolean | undefined;
  /** Whether its next reply may be long in coming: then no time is too long, and only the session's end ends it. */
  isPatient?: boolean | undefined;
  /** The connection that its transaction lives on: nobody else can carry it out. */
  link?: Link | undefined;
  sql?: string | undefined;
  /** Called once, when nothing more is expected for it. */
  onSettled?: (() => void) | undefined;
  signal?: AbortSignal | undefined;
  timeout?: number | undefined;
}

export interface Reply { body: Body; payload: Uint8Array }

interface Waiter { resolve(reply: Reply): void; reject(error: HubError): void }

/** What an exchange works with. */
export interface Line {
  timer(ms: number, callback: () => void): () => void;
  /** Sends a message that wants no reply. */
  note(op: Op, parts?: readonly PayloadPart[]): void;
  /** The exchange is over; nothing more is expected for it. */
  settled(): void;
}

export class Exchange {
  readonly id: number;
  readonly options: ExchangeOptions;
  /** Where it was sent last; undefined as long as it waits for a hub. */
  sentTo: Link | undefined;
  /** Its caller wants it to stop, which a hub that is sent it anew does not know. */
  stopping = false;
  readonly #line: Line;
  readonly #replies: Reply[] = [];
  #waiter: Waiter | undefined;
  #error: HubError | undefined;
  #settled = false;
  #stopTimer: (() => void) | undefined;

  constructor(id: number, options: ExchangeOptions, line: Line) {
    this.id = id;
    this.options = options;
    this.#line = line;
    options.signal?.addEventListener('abort', this.#onAbort);
  }

  /** The next reply, in order. Rejects with the error that ended the exchange. One call at a time. */
  next(): Promise<Reply> {
    const reply = this.#replies.shift();
    if (reply) return Promise.resolve(reply);
    if (this.#error) return Promise.reject(this.#error);
    return new Promise((resolve, reject) => {
      this.#waiter = { resolve, reject };
      const { timeout } = this.options;
      if (timeout !== undefined) this.#stopTimer = this.#line.timer(timeout + GRACE_MS, () => this.#expire(timeout + GRACE_MS));
    });
  }

  receive(body: Body, payload: Uint8Array): void {
    if ('error' in body) return this.fail(fromWire(body.error, this.options.sql));
    if (!goesOn(body)) this.#settle();
    const waiter = this.#release();
    if (waiter) waiter.resolve({ body, payload });
    else this.#replies.push({ body, payload });
  }

  /** Ends the exchange with `error`, which the consumer meets at its next `next`. */
  fail(error: HubError): void {
    if (this.#settled) return;
    this.#settle();
    this.#error = error;
    this.#replies.length = 0;
    this.#release()?.reject(error);
  }

  /** The reason for the session's end, as this call sees it: with its own outcome and its own SQL. */
  end(error: HubError): void {
    this.fail(seenBy(this.options, error, this.#outcome));
  }

  /** Sends something that belongs to it and wants no reply of its own. */
  note(op: Op, parts?: readonly PayloadPart[]): void {
    if (!this.#settled) this.#line.note(op, parts);
  }

  /** Grants the hub one more reply. */
  pull(): void {
    this.note({ pull: { target: this.id } });
  }

  /** Asks the hub to stop; its answer still counts. What has not been sent yet stops at once. */
  stop(): void {
    this.stopping = true;
    if (!this.sentTo) this.fail(cancelled(this.options));
    else this.note({ cancel: { target: this.id } });
  }

  /** The consumer wants nothing more of it. */
  abandon(): void {
    this.stop();
    this.#settle();
    this.#replies.length = 0;
  }

  readonly #onAbort = (): void => {
    this.stop();
    // Whether a write was applied only the hub can say, so that call goes on until it does.
    if (!this.options.writes) this.fail(cancelled(this.options));
  };

  #expire(ms: number): void {
    const { what, sql } = this.options;
    if (this.sentTo) this.stop();
    this.fail(new HubError('HUB_TIMEOUT', `the hub did not answer ${what} within ${ms} ms`, { outcome: this.#outcome, sql }));
  }

  /** What can be said of its work as long as the hub has not answered. */
  get #outcome(): Outcome {
    return this.options.writes && this.sentTo ? 'unknown' : 'not-applied';
  }

  #release(): Waiter | undefined {
    const waiter = this.#waiter;
    this.#waiter = undefined;
    this.#stopTimer?.();
    return waiter;
  }

  #settle(): void {
    if (this.#settled) return;
    this.#settled = true;
    this.options.signal?.removeEventListener('abort', this.#onAbort);
    this.#line.settled();
    this.options.onSettled?.();
  }
}

/** The error of a call whose signal was aborted. */
export function cancelled({ what, sql, signal }: ExchangeOptions): HubError {
  return new HubError('HUB_CANCELLED', `${what} was cancelled by its signal`, { sql, cause: signal?.reason });
}

/** `error` as one call sees it: with an outcome and SQL of its own. */
export function seenBy(call: ExchangeOptions, { code, message, cause }: HubError, outcome: Outcome): HubError {
  return new HubError(code, message, { outcome, sql: call.sql, cause });
}

/** The body of a reply, which must be of `kind`. */
export function expect<K extends keyof Bodies>(kind: K, { body }: Reply, { what, writes, sql }: ExchangeOptions): Bodies[K] {
  const answer = (body as Partial<Bodies>)[kind];
  if (answer !== undefined) return answer;
  const outcome = writes ? 'unknown' : 'not-applied';
  throw new HubError('HUB_PROTOCOL', `the hub answered ${what} with '${Object.keys(body)[0]}' instead of '${kind}'`, { outcome, sql });
}

/** Whether more replies follow this one. */
function goesOn(body: Body): boolean {
  const part = 'chunk' in body ? body.chunk : 'bytes' in body ? body.bytes : 'checked' in body ? body.checked : 'changeset' in body ? body.changeset : undefined;
  return part ? !part.end : 'more' in body || 'live' in body || 'changed' in body;
}
