/**
 * Live queries for Svelte's runes: `tabhub/svelte`. As a store, `$todos`, a live query needs no adapter: `const todos = db.live(sql)`.
 *
 * @module tabhub/svelte
 */
import { createSubscriber } from 'svelte/reactivity';
import type { Database, LiveOptions, ObjectRow, Params } from '../index.js';
import type { LiveResult } from './result.js';

export type { LiveResult };

/**
 * The rows of a query, now and whenever a commit of any tab has changed them. It is followed while an effect or a template reads it.
 *
 * @example
 * const todos = $derived(liveQuery<Todo>(db, 'SELECT * FROM todo WHERE list = ?', [list]));
 * {#each todos.rows ?? [] as todo (todo.id)} … {/each}
 */
export function liveQuery<Row = ObjectRow, P extends Params = Params>(db: Database, sql: string, params?: P, options?: LiveOptions): LiveResult<Row> {
  const live = db.live<Row>(sql, params, options);
  const read = createSubscriber(update => live.subscribe({ next: update, error: update, complete: update }));
  return {
    get rows() { read(); return live.getSnapshot(); },
    get error() { read(); return live.error; },
    get isLoading() { return this.rows === undefined && this.error === undefined; },
  };
}
