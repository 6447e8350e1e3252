/**
 * Live queries in Solid: `tabhub/solid`. What is reactive in its arguments is followed too; it ends with its owner.
 *
 * @module tabhub/solid
 */
import { createEffect, createSignal, onCleanup, type Accessor } from 'solid-js';
import type { Database, HubError, LiveOptions, ObjectRow, Params } from '../index.js';
import type { LiveResult } from './result.js';

/** `LiveResult`, each part as an accessor. */
export type LiveAccessors<Row> = { readonly [Part in keyof LiveResult<Row>]: Accessor<LiveResult<Row>[Part]> };

/**
 * The rows of a query, now and whenever a commit of any tab has changed them. Rows that stay are the same objects, so `<For>` touches only what differs.
 *
 * @example const todos = createLiveQuery<Todo>(() => db, 'SELECT * FROM todo WHERE list = ?', () => [props.list]); <For each={todos.rows()}>…</For>
 */
export function createLiveQuery<Row = ObjectRow, P extends Params = Params>(
  db: Accessor<Database | undefined>, sql: string | Accessor<string>, params?: P | Accessor<P | undefined>, options?: LiveOptions,
): LiveAccessors<Row> {
  const [rows, setRows] = createSignal<readonly Row[]>();
  const [error, setError] = createSignal<HubError>();
  createEffect(() => {
    const live = db()?.live<Row>(current(sql), current(params), options);
    if (!live) return;
    const stop = live.subscribe({
      next: next => { setRows(() => next); setError(undefined); },
      error: failure => setError(() => failure),
      complete: () => setError(() => live.error),
    });
    onCleanup(stop);
  });
  return { rows, error, isLoading: () => rows() === undefined && error() === undefined };
}

/** No parameter is a function. */
function current<T>(value: T | Accessor<T>): T {
  return typeof value === 'function' ? (value as Accessor<T>)() : value;
}
