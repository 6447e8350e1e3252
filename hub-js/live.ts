/**
 * Live queries: `db.live(sql)`. The hub runs the query once for all tabs and sends what has changed; here the rows are put together, and told to
 * whoever looks, in the shapes that frameworks know. It outlives the hub: from the next one it gets everything anew and tells only what differs.
 */
import { BlockReader, ValueBlock } from './codec.js';
import { difference, type Difference } from './difference.js';
import { HubError } from './errors.js';
import { tell } from './events.js';
import { expect, type Exchange } from './exchange.js';
import { textOf } from './identity.js';
import { KNOWN, checkOptions, type LiveOptions } from './options.js';
import type { Column } from './protocol.js';
import { checkSql } from './queries.js';
import { readRows, type ObjectRow } from './rows.js';
import type { Session } from './session.js';
import { checkParams, type Params } from './values.js';

/** A page that nobody sees is told no more often, ms. */
const HIDDEN_MS = 1_000;

/** What is told of each new state; the last two once, at the end. */
export interface LiveObserver<Row> {
  /** All rows, as they are now. */
  next?(rows: readonly Row[]): void;
  /** There are no more updates, and why. */
  error?(error: HubError): void;
  /** There are no more updates, because the database was closed. */
  complete?(): void;
}

/** Ends what it was returned for; call it, or its method. */
export interface Unsubscribe {
  (): void;
  /** The same, as Observables have it. */
  unsubscribe(): void;
}

type Told<Row> = Required<LiveObserver<Row>>;

/**
 * A query and its rows, as they are now. It is at the same time an Observable, a store for Svelte, an async iterable, and has `subscribe` and
 * `getSnapshot` for React's `useSyncExternalStore`. It is followed as long as somebody is subscribed. Rows that stay the same stay the same
 * objects, and the list is a new one only when something in it is.
 */
export class LiveQuery<Row = ObjectRow> implements AsyncIterable<readonly Row[]> {
  readonly #session: Session;
  readonly #sql: string;
  readonly #params: ReturnType<typeof checkParams>;
  readonly #options: LiveOptions;
  readonly #observers = new Set<Told<Row>>();
  readonly #onDiff = new Set<(difference: Difference<Row>) => void>();
  #rows: readonly Row[] | undefined;
  #error: HubError | undefined;
  /** Where the hub's updates come from, as long as anybody looks. */
  #exchange: Exchange | undefined;
  #isFollowing = false;

  /** @internal */
  constructor(session: Session, sql: string, params?: Params, options?: LiveOptions) {
    this.#session = session;
    this.#options = checkOptions(options, KNOWN.live, 'live');
    this.#sql = checkSql(sql, 'live');
    this.#params = checkParams(params, { sql });
  }

  /** The rows as they were told last; undefined before they have come. */
  readonly getSnapshot = (): readonly Row[] | undefined => this.#rows;

  /** Why there are no more updates, if that is so. */
  get error(): HubError | undefined {
    return this.#error;
  }

  /**
   * Tells `observer`, or the function, of the rows: at once if they are there, and whenever they have changed.
   * @example const stop = db.live('SELECT * FROM todo').subscribe(rows => render(rows));
   */
  readonly subscribe = (observer: LiveObserver<Row> | ((rows: readonly Row[]) => void)): Unsubscribe => {
    const told = toldBy(observer);
    this.#observers.add(told);
    if (this.#rows) told.next(this.#rows);
    return this.#keep(() => this.#observers.delete(told));
  };

  /**
   * Tells what has changed from one state to the next, by the option `key`; the first state is all `added`.
   * @example db.live('SELECT * FROM todo', [], { key: 'id' }).onDiff(({ added, updated, removed, moved }) => patch(…));
   */
  onDiff(callback: (difference: Difference<Row>) => void): Unsubscribe {
    if (typeof callback !== 'function') throw new HubError('HUB_BAD_REQUEST', 'onDiff: the listener must be a function');
    const told = (difference: Difference<Row>): void => callback(difference);
    this.#onDiff.add(told);
    if (this.#rows) told(difference([], this.#rows, this.#options.key));
    return this.#keep(() => this.#onDiff.delete(told));
  }

  /** The state now and each later one; a loop that takes long gets the latest, not all. */
  async* [Symbol.asyncIterator](): AsyncGenerator<readonly Row[], void, undefined> {
    let latest: readonly Row[] | undefined;
    let failure: HubError | undefined;
    let isOver = false;
    let wake = (): void => {};
    const stop = this.subscribe({
      next: rows => { latest = rows; wake(); },
      error: error => { failure = error; wake(); },
      complete: () => { isOver = true; wake(); },
    });
    try {
      for (;;) {
        if (latest) {
          const rows = latest;
          latest = undefined;
          yield rows;
        } else if (failure) throw failure;
        else if (isOver) return;
        else await new Promise<void>(resolve => { wake = resolve; });
      }
    } finally {
      stop();
    }
  }

  /** Counts one who looks; the last one to go ends the updates. */
  #keep(forget: () => void): Unsubscribe {
    void this.#follow();
    let isOver = false;
    const stop = (): void => {
      if (isOver) return;
      isOver = true;
      forget();
      // Not at once: whoever subscribes anew in the same moment, as React does, goes on with what there is.
      this.#session.timer(0, () => this.#rest());
    };
    return Object.assign(stop, { unsubscribe: stop });
  }

  #rest(): void {
    if (this.#isWanted) return;
    this.#isFollowing = false;
    this.#exchange?.abandon();
    this.#exchange = undefined;
  }

  get #isWanted(): boolean {
    return this.#observers.size + this.#onDiff.size > 0;
  }

  async #follow(): Promise<void> {
    if (this.#isFollowing) return;
    this.#isFollowing = true;
    this.#error = undefined;
    // What is subscribed in one go hears of one failure.
    await Promise.resolve();
    while (this.#isFollowing) {
      try {
        await this.#followHub();
      } catch (error) {
        if (this.#session.isOver || !(error instanceof HubError) || error.code !== 'HUB_LOST') return this.#fail(error as HubError);
      }
    }
  }

  /** Until the hub is lost, the query fails, or nobody looks any more. */
  async #followHub(): Promise<void> {
    const { shape, values } = this.#params;
    const { rowMode, bigint = 'auto', throttle = 0 } = this.#options;
    const about = { what: 'live', sql: this.#sql, writes: false, stream: true, isPatient: true };
    const exchange = this.#session.exchange({ live: { sql: this.#sql, params: shape } }, [new ValueBlock(values)], about);
    this.#exchange = exchange;
    try {
      let columns: Column[] = [];
      // As this hub knows that we know them.
      let rows: readonly Row[] = [];
      let isFirst = true;
      while (this.#exchange === exchange) {
        const reply = await exchange.next();
        const update = expect('live', reply, about);
        columns = update.columns ?? columns;
        const fresh = readRows<Row>(columns, update.fresh, new BlockReader(reply.payload, bigint), rowMode);
        rows = isFirst ? reused(this.#rows ?? [], fresh) : assembled(rows, update.parts, fresh);
        isFirst = false;
        this.#take(rows);
        await this.#pause(throttle);
        exchange.pull();
      }
    } finally {
      exchange.abandon();
    }
  }

  #take(rows: readonly Row[]): void {
    const before = this.#rows;
    if (before && before.length === rows.length && before.every((row, at) => row === rows[at])) return;
    this.#rows = rows;
    if (this.#onDiff.size > 0) {
      const changed = difference(before ?? [], rows, this.#options.key);
      for (const callback of [...this.#onDiff]) tell(() => callback(changed));
    }
    for (const observer of [...this.#observers]) tell(() => observer.next(rows));
  }

  #fail(error: HubError): void {
    this.#isFollowing = false;
    this.#error = error;
    const observers = [...this.#observers];
    this.#observers.clear();
    this.#onDiff.clear();
    for (const observer of observers) tell(() => error.code === 'HUB_CLOSED' ? observer.complete() : observer.error(error));
  }

  /** Before the next update is asked for; the hub sends the latest then. */
  #pause(throttle: number): Promise<void> {
    const ms = this.#session.isVisible ? throttle : Math.max(throttle, HIDDEN_MS);
    return ms === 0 ? Promise.resolve() : new Promise(resolve => { this.#session.timer(ms, resolve); });
  }
}

// Observables know each other by this symbol, which no engine has yet: whoever wants it, as RxJS does, brings it along.
const OBSERVABLE = (Symbol as { observable?: symbol }).observable ?? '@@observable';
Object.defineProperty(LiveQuery.prototype, OBSERVABLE, { value(this: LiveQuery) { return this; }, configurable: true });

function toldBy<Row>(observer: LiveObserver<Row> | ((rows: readonly Row[]) => void)): Told<Row> {
  const isKnown = typeof observer === 'function' || typeof observer === 'object' && observer !== null;
  if (!isKnown) throw new HubError('HUB_BAD_REQUEST', 'subscribe: pass a function, or an object with next, error and complete');
  const { next, error, complete } = typeof observer === 'function' ? { next: observer } as LiveObserver<Row> : observer;
  return {
    next: rows => next?.call(observer, rows),
    // As Observables do: an error that nobody takes is not lost.
    error: failure => { if (error) error.call(observer, failure); else queueMicrotask(() => { throw failure; }); },
    complete: () => complete?.call(observer),
  };
}

/** `from` and `count` of each run: 0 for the next of the fresh rows, otherwise one more than a place among the known ones. */
function assembled<Row>(known: readonly Row[], parts: readonly number[], fresh: readonly Row[]): readonly Row[] {
  const rows: Row[] = [];
  let next = 0;
  for (let at = 0; at < parts.length; at += 2) {
    const from = parts[at] as number;
    const count = parts[at + 1] as number;
    const source = from === 0 ? fresh : known;
    const start = from === 0 ? next : from - 1;
    if (from === 0) next += count;
    for (let index = start; index < start + count; index++) rows.push(source[index] as Row);
  }
  return rows;
}

/** Everything anew: what equals a row that was there is that row. */
function reused<Row>(known: readonly Row[], fresh: readonly Row[]): readonly Row[] {
  const places = new Map<string, Row[]>();
  for (const row of known) {
    const text = textOf(row);
    places.set(text, [...places.get(text) ?? [], row]);
  }
  return fresh.map(row => places.get(textOf(row))?.shift() ?? row);
}
