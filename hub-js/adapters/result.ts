/** What a live query looks like in every framework. */
import type { HubError } from '../index.js';

/** The rows of a live query, or why there are none. */
export interface LiveResult<Row> {
  /** As they are now; undefined before the first have come. A row that stays the same stays the same object. */
  readonly rows: readonly Row[] | undefined;
  /** Why there are no more updates, if that is so. */
  readonly error: HubError | undefined;
  /** Neither rows nor an error yet. */
  readonly isLoading: boolean;
}
