/**
 * Live queries in Vue: `tabhub/vue`. What is reactive in its arguments is followed too; it ends with the component's scope.
 *
 * @module tabhub/vue
 */
import { computed, shallowRef, toValue, watchEffect, type ComputedRef, type MaybeRefOrGetter, type ShallowRef } from 'vue';
import type { Database, HubError, LiveOptions, ObjectRow, Params } from '../index.js';
import type { LiveResult } from './result.js';

/** `LiveResult`, each part as a ref. */
export type LiveRefs<Row> = {
  /** As they are now; undefined before the first have come. */
  rows: Readonly<ShallowRef<LiveResult<Row>['rows']>>;
  /** Why there are no more updates, if that is so. */
  error: Readonly<ShallowRef<LiveResult<Row>['error']>>;
  /** Neither rows nor an error yet. */
  isLoading: ComputedRef<boolean>;
};

/**
 * The rows of a query, now and whenever a commit of any tab has changed them. When an argument changes, the rows stay until those of the new query come.
 *
 * @example const { rows } = useLiveQuery<Todo>(db, 'SELECT * FROM todo WHERE list = ?', () => [props.list]);
 */
export function useLiveQuery<Row = ObjectRow, P extends Params = Params>(
  db: MaybeRefOrGetter<Database | undefined>, sql: MaybeRefOrGetter<string>, params?: MaybeRefOrGetter<P | undefined>, options?: LiveOptions,
): LiveRefs<Row> {
  const rows = shallowRef<readonly Row[]>();
  const error = shallowRef<HubError>();
  watchEffect(onCleanup => {
    const live = toValue(db)?.live<Row>(toValue(sql), toValue(params), options);
    if (!live) return;
    const stop = live.subscribe({
      next: next => { rows.value = next; error.value = undefined; },
      error: failure => { error.value = failure; },
      complete: () => { error.value = live.error; },
    });
    onCleanup(stop);
  });
  return { rows, error, isLoading: computed(() => rows.value === undefined && error.value === undefined) };
}
