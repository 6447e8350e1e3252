/**
 * Live queries in React: `tabhub/react`. What is followed lives outside of the components, one for all that ask the same, so StrictMode's double mounts and
 * Suspense's discarded renders neither lose nor repeat anything, and `useSyncExternalStore` keeps all components of one render at one state.
 *
 * @module tabhub/react
 */
import { useSyncExternalStore } from 'react';
import { textOf } from '../identity.js';
import type { Database, HubError, LiveOptions, LiveQuery, ObjectRow, Params } from '../index.js';
import type { LiveResult } from './result.js';

export type { LiveResult };

/** So long what nobody looks at any more is followed on: a component that suspends, or is mounted again, finds it. */
const UNUSED_MS = 5_000;
/** So long a failure is remembered where no component is mounted: React renders an error boundary's child twice before it gives up. */
const FAILED_MS = 1_000;

const LOADING: LiveResult<never> = { rows: undefined, error: undefined, isLoading: true };
const NO_DATABASE = { subscribe: () => () => {}, getSnapshot: () => LOADING };

/**
 * The rows of a query, now and whenever a commit of any tab has changed them. As long as there is no database yet, pass undefined.
 *
 * @throws {HubError} `HUB_BAD_VALUE` and `HUB_BAD_OPTION`, while rendering. What the query itself says is in `error`.
 * @example
 * const { rows, error } = useLiveQuery<Todo>(db, 'SELECT * FROM todo WHERE list = ?', [list]);
 */
export function useLiveQuery<Row = ObjectRow, P extends Params = Params>(db: Database | undefined, sql: string, params?: P, options?: LiveOptions): LiveResult<Row> {
  const { subscribe, getSnapshot } = db ? storeOf<Row>(db, sql, params, options) : NO_DATABASE;
  return useSyncExternalStore<LiveResult<Row>>(subscribe, getSnapshot, () => LOADING);
}

/**
 * The same for `<Suspense>`: suspends until the first rows are there, and throws the query's error to the nearest error boundary.
 *
 * @example const todos = useSuspenseLiveQuery<Todo>(db, 'SELECT * FROM todo');
 */
export function useSuspenseLiveQuery<Row = ObjectRow, P extends Params = Params>(db: Database, sql: string, params?: P, options?: LiveOptions): readonly Row[] {
  const store = storeOf<Row>(db, sql, params, options);
  const { rows, error } = useSyncExternalStore(store.subscribe, store.getSnapshot, store.getSnapshot);
  if (error) throw error;
  if (!rows) throw store.first();
  return rows;
}

const stores = new WeakMap<Database, Map<string, Store<unknown>>>();

function storeOf<Row>(db: Database, sql: string, params?: Params, options?: LiveOptions): Store<Row> {
  let ofDatabase = stores.get(db);
  if (!ofDatabase) stores.set(db, ofDatabase = new Map());
  const known = ofDatabase;
  const key = textOf([sql, params, options]);
  let store = known.get(key) as Store<Row> | undefined;
  if (!store) {
    store = new Store<Row>(db.live<Row>(sql, params, options), () => known.delete(key));
    known.set(key, store as Store<unknown>);
  }
  return store;
}

/** One live query and the components that show it. */
class Store<Row> {
  readonly #live: LiveQuery<Row>;
  readonly #forget: () => void;
  readonly #listeners = new Set<() => void>();
  #state: LiveResult<Row> = LOADING;
  #stop: (() => void) | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** What suspended components wait for. */
  #first: { promise: Promise<void>; resolve: () => void } | undefined;

  constructor(live: LiveQuery<Row>, forget: () => void) {
    this.#live = live;
    this.#forget = forget;
    this.#restSoon(UNUSED_MS);
  }

  readonly getSnapshot = (): LiveResult<Row> => this.#state;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    clearTimeout(this.#timer);
    this.#follow();
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size === 0) this.#restSoon(UNUSED_MS);
    };
  };

  /** Settled with the first rows, or the error: the component asks again then. */
  first(): Promise<void> {
    if (!this.#first) {
      let resolve!: () => void;
      const promise = new Promise<void>(settle => { resolve = settle; });
      this.#first = { promise, resolve };
    }
    this.#follow();
    return this.#first.promise;
  }

  #follow(): void {
    this.#stop ??= this.#live.subscribe({
      next: rows => this.#tell({ rows, error: undefined, isLoading: false }),
      error: error => this.#fail(error),
      // The database was closed: whoever waits for rows waits in vain.
      complete: () => this.#fail(this.#live.error as HubError),
    });
  }

  #fail(error: HubError): void {
    this.#stop = undefined;
    this.#tell({ rows: this.#state.rows, error, isLoading: false });
  }

  #tell(state: LiveResult<Row>): void {
    this.#state = state;
    this.#first?.resolve();
    for (const listener of [...this.#listeners]) listener();
    if (this.#listeners.size === 0) this.#restSoon(state.error ? FAILED_MS : UNUSED_MS);
  }

  #restSoon(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      // A component that suspends is not mounted: its first rows come first.
      if (this.#first && this.#state.isLoading) return;
      this.#stop?.();
      this.#forget();
    }, ms);
  }
}
