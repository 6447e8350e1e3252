/** Who listens to what. `client.ts` registers, `session.ts` calls. A listener that throws harms nobody else. */
import { HubError } from './errors.js';
import type { LogEvent } from './options.js';
import type { SessionEvents } from './session.js';
import type { Failover, Outdated, Status } from './status.js';

/** The events of a database and what their listeners receive. */
export interface DatabaseEvents {
  /** The hub's log, its panics and unhandled errors, and what the session notices of the hub's life. They go to the console as well. */
  log: LogEvent;
  /** The status after each change of its state or of the storage's. */
  status: Status;
  /** Another hub has taken over the database, and this tab goes on with it. */
  failover: Failover;
  /** The hub is newer than this page. It is served all the same, unless `open` or a call failed with `HUB_OUTDATED`. */
  outdated: Outdated;
}

type Listeners = { [K in keyof DatabaseEvents]: Set<(event: DatabaseEvents[K]) => void> };

export class Events implements SessionEvents {
  readonly #listeners: Listeners = { log: new Set(), status: new Set(), failover: new Set(), outdated: new Set() };

  on<K extends keyof DatabaseEvents>(name: K, listener: (event: DatabaseEvents[K]) => void): () => void {
    if (!Object.hasOwn(this.#listeners, name)) {
      throw new HubError('HUB_BAD_REQUEST', `on: there is no event '${String(name)}'; there are ${Object.keys(this.#listeners).join(', ')}`);
    }
    if (typeof listener !== 'function') throw new HubError('HUB_BAD_REQUEST', `on: the listener of '${name}' must be a function`);
    const listeners: Set<(event: DatabaseEvents[K]) => void> = this.#listeners[name];
    listeners.add(listener);
    return () => { listeners.delete(listener) };
  }

  log(event: LogEvent): void { notify(this.#listeners.log, event) }
  status(status: Status): void { notify(this.#listeners.status, status) }
  failover(event: Failover): void { notify(this.#listeners.failover, event) }
  outdated(event: Outdated): void { notify(this.#listeners.outdated, event) }
}

function notify<T>(listeners: ReadonlySet<(event: T) => void>, event: T): void {
  for (const listener of listeners) tell(() => listener(event));
}

/** Calls a listener. What it throws is reported as uncaught, like the error of any other event listener, but after the others have been told. */
export function tell(listener: () => void): void {
  try {
    listener();
  } catch (error) {
    queueMicrotask(() => { throw error });
  }
}
