/** What has changed between two states of a live query. Called by `live.ts`. It knows rows as objects: one that has not changed is the same one. */

/** Each row of either state stands in one of them at most. */
export interface Difference<Row> {
  /** In the order in which they stand now. */
  added: Row[];
  /** As they are now. Only with a `key`: without one a changed row is removed and added. */
  updated: Row[];
  /** As they were. */
  removed: Row[];
  /** Unchanged rows that stand elsewhere among the others: as few as lead from the old order to the new one. */
  moved: Row[];
}

/** `key`: the column, or columns, that tell rows apart. */
export function difference<Row>(before: readonly Row[], after: readonly Row[], key?: string | readonly string[]): Difference<Row> {
  const places = new Map(before.map((row, at) => [row, at]));
  const kept = new Set(after.filter(row => places.has(row)));
  const removed = before.filter(row => !kept.has(row));
  const fresh = after.filter(row => !kept.has(row));
  const still = inOrder([...kept].map(row => places.get(row) as number));
  const moved = [...kept].filter(row => !still.has(places.get(row) as number));
  if (key === undefined) return { added: fresh, updated: [], removed, moved };
  const keyOf = (row: Row): string => JSON.stringify([key].flat().map(column => String((row as Record<string, unknown>)[column])));
  const gone = new Set(removed.map(keyOf));
  const come = new Set(fresh.map(keyOf));
  return {
    added: fresh.filter(row => !gone.has(keyOf(row))),
    updated: fresh.filter(row => gone.has(keyOf(row))),
    removed: removed.filter(row => !come.has(keyOf(row))),
    moved,
  };
}

/** The longest part of distinct numbers that goes up. */
function inOrder(numbers: readonly number[]): Set<number> {
  /** The smallest last number of an ascending part of each length, and the one before each number in the part that it ends. */
  const ends: number[] = [];
  const before = new Map<number, number | undefined>();
  for (const number of numbers) {
    let [low, high] = [0, ends.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (ends[middle] as number < number) low = middle + 1;
      else high = middle;
    }
    before.set(number, ends[low - 1]);
    ends[low] = number;
  }
  const part = new Set<number>();
  for (let number = ends.at(-1); number !== undefined; number = before.get(number)) part.add(number);
  return part;
}
