/**
 * What the election of a hub's host is told, and what it answers. The transport turns the browser's events into these, and these into calls;
 * `election.ts` decides.
 */
import type { Lease } from './lease.js';

export type ElectionEvent =
  /** The session wants a hub: at the start, or because it lost the one it had. */
  | { type: 'seek' }
  /** A hub said on the channel that it lives and owns the database. */
  | { type: 'here'; hub: string }
  /** The answer to a probe or a steal. `lost`: another tab stole it. */
  | { type: 'lock'; state: 'granted' | 'refused' | 'lost' }
  /** The lease may have changed. */
  | { type: 'lease' }
  /** `tick` comes from the worker, whose timers are not throttled, at least every 400 ms while it has any turn. */
  | { type: 'wake' } | { type: 'tick' }
  | { type: 'visible'; visible: boolean }
  /** `hide`: pagehide or freeze. `show`: pageshow or resume. */
  | { type: 'hide' } | { type: 'show' }
  /** Our worker owns the database; comes again once the epoch is known, until then it is 0. */
  | { type: 'hosting'; hub: string; epoch: number }
  /** Our worker found that another hub owns the database, and lives. */
  | { type: 'elsewhere'; hub: string }
  /** Our worker is over. */
  | { type: 'ended' }
  | { type: 'close' };

export type ElectionAction =
  | { type: 'ask' }
  /** Try for the lock with `ifAvailable`: a waiter in its queue would let a frozen page keep it. */
  | { type: 'probe' }
  | { type: 'steal' } | { type: 'release' }
  | { type: 'write'; lease: Lease }
  /** Start the worker; end it, if it runs, and hear no more of it. */
  | { type: 'host' } | { type: 'unhost' }
  | { type: 'follow'; hub: string }
  /** The hub that the session has is gone, or not to be trusted. It says when it seeks again. */
  | { type: 'lost'; why: string }
  /** There is no way to a hub. The session may seek again. */
  | { type: 'unreachable'; why: string };

/** What the tab has. `lease`: localStorage that can be written. `channel`: BroadcastChannel. */
export interface Means {
  locks: boolean;
  lease: boolean;
  channel: boolean;
  /** How long the holder of a lock must be silent before it is stolen. */
  patienceMs?: number;
}
