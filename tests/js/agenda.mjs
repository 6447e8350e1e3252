/** What a simulation is made of: random numbers from a seed, and a clock that goes from one thing to the next. */

/** A number in 0..1 from a seed; mulberry32. */
export function randomFrom(seed) {
  let state = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b);
  return () => {
    state = state + 0x6d2b79f5 | 0;
    let x = Math.imul(state ^ state >>> 15, state | 1);
    x = x + Math.imul(x ^ x >>> 7, x | 61) ^ x;
    return ((x ^ x >>> 14) >>> 0) / 4294967296;
  };
}

/** What happens next: a heap by time, then by order. */
export class Agenda {
  #heap = [];
  #count = 0;
  now = 0;

  at(time, act) {
    const heap = this.#heap;
    const entry = { time: Math.max(time, this.now), order: this.#count++, act };
    let i = heap.push(entry) - 1;
    for (let up = i - 1 >> 1; i > 0 && before(entry, heap[up]); i = up, up = i - 1 >> 1) heap[i] = heap[up];
    heap[i] = entry;
  }

  /** Does the next thing; false if there is none before `end`. */
  step(end) {
    const [first] = this.#heap;
    if (!first || first.time > end) {
      this.now = Math.max(this.now, end);
      return false;
    }
    this.#pop();
    this.now = first.time;
    first.act();
    return true;
  }

  #pop() {
    const heap = this.#heap;
    const last = heap.pop();
    if (heap.length === 0) return;
    let i = 0;
    for (let down = 1; down < heap.length; i = down, down = 2 * i + 1) {
      if (down + 1 < heap.length && before(heap[down + 1], heap[down])) down += 1;
      if (!before(heap[down], last)) break;
      heap[i] = heap[down];
    }
    heap[i] = last;
  }
}

const before = (a, b) => a.time < b.time || a.time === b.time && a.order < b.order;
