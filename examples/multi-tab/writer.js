// Writes numbers into the database without a pause, and remembers outside of it which were acknowledged. Called by count.js.

const ACKED = 'tasks.db:acknowledged:';
const AGAIN_MS = 500;

/**
 * One write after the other, 1, 2, 3 …: so the last number that was acknowledged stands for all before it. It is kept in localStorage, where all tabs
 * find it, also when this one is closed.
 */
export class Writer {
  /** Of this page alone: what was under way when a page was left may still be stored. */
  #series = crypto.randomUUID().slice(0, 8);
  #tasks;
  #onError;
  isWanted = false;

  constructor(tasks, onError) {
    this.#tasks = tasks;
    this.#onError = onError;
  }

  /** Writes as long as `isWanted`; the write that is under way then ends first. */
  async write() {
    const key = ACKED + this.#series;
    while (this.isWanted) {
      const number = Number(localStorage.getItem(key)) + 1;
      if (await this.#record(number)) localStorage.setItem(key, number);
      else await new Promise(resolve => setTimeout(resolve, AGAIN_MS));
    }
  }

  /** Whether the number is stored. After an error its outcome says whether to write it again, and where nobody knows, the table does. */
  async #record(number) {
    try {
      await this.#tasks.record(this.#series, number);
      return true;
    } catch (error) {
      this.#onError(error);
      const { state } = this.#tasks.db.status;
      if (state !== 'open' && state !== 'reconnecting') throw error;
      return error.outcome === 'applied' || error.outcome === 'unknown' && await this.#tasks.isRecorded(this.#series, number);
    }
  }
}

/** The last acknowledged number of each series, of all tabs. */
export function acknowledged() {
  return Object.fromEntries(Object.keys(localStorage).filter(isAcknowledgement).map(key => [key.slice(ACKED.length), Number(localStorage.getItem(key))]));
}

export function isAcknowledgement(key) {
  return key.startsWith(ACKED);
}

export function forgetAcknowledged() {
  for (const key of Object.keys(localStorage).filter(isAcknowledgement)) localStorage.removeItem(key);
}
