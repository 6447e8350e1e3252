/** What a session tells of itself and of its hub: the public types. Made by `session.ts`, handed on by `events.ts`. */
import type { Found } from './found.js';
import type { StorageState } from './protocol.js';
import type { Mode, Role } from './transport/route.js';

/**
 * `open`: ready. `reconnecting`: the hub is gone and another is looked for; calls wait for it. `lost`: none was found. `failed`: the hub
 * gave up, or does not speak our protocol. `closed`: by `close()`.
 */
export type State = 'open' | 'reconnecting' | 'lost' | 'failed' | 'closed';

/** What the hub said about itself, and how the session stands. */
export interface Status {
  /** Whether calls are carried out, wait, or fail. */
  state: State;
  /** Where the hub runs: in a SharedWorker, or in a worker of the tab that leads. */
  mode: Mode;
  /** What this tab is to it: `leader` hosts it, `follower` uses another tab's, `client` a SharedWorker's. */
  role: Role;
  /** The hub instance: another one, another id. */
  hub: string;
  /** Grows by one with each hub that took over the database. */
  epoch: number;
  /** `memory` only if `persistence: 'preferred'` was asked for and nothing can be stored. */
  persistence: 'indexeddb' | 'memory';
  /** What was there when this tab opened it: what was stored before, nothing yet, or nothing any more, as the browser has deleted it. */
  found: Found;
  /**
   * How the hub stands with its storage. `reconnecting`: it lost its connection and tries again. `stalled`: the browser does not answer.
   * In both, writes wait. `read-only`: something stored is damaged; writes fail with `HUB_CORRUPT`.
   */
  storage: StorageState;
  /** tabhub's version, of the hub. */
  version: string;
  /** SQLite's version. */
  sqlite: string;
}

/** Another hub has taken over. What was under way has been sent to it. */
export interface Failover {
  /** The hub that is gone. */
  from: string;
  /** The hub that has taken over. */
  to: string;
  /** How the first one was lost, in words. */
  why: string;
  /** How long there was none, in ms. */
  ms: number;
}

/** The hub is of a newer version than this page, which should be reloaded when it suits. */
export interface Outdated {
  /** The page's version of tabhub. */
  page: string;
  /** The hub's version; or where it no longer serves this page, the sentence that says so. */
  hub: string;
}
