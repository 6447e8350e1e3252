/**
 * The way from a tab to the hub of one database, whatever worker it runs in. `session.ts` owns one and asks it for a connection, and for
 * another one when that is lost. Which way it is follows from what the platform has, or from the option `mode`.
 */
import type { Connection, Environment, Receiver } from '../environment.js';
import { HubError } from '../errors.js';
import { LeaderRoute } from './leader.js';
import { SharedRoute, type SharedEnvironment } from './shared.js';

/** `shared`: the hub runs in a SharedWorker. `leader`: in a dedicated worker of the tab that was elected. */
export type Mode = 'shared' | 'leader';
/** `leader`: this tab hosts the hub. `follower`: another one does. `client`: a SharedWorker does. */
export type Role = 'leader' | 'follower' | 'client';

export interface Place { url: string; database: string }

export interface Route {
  readonly mode: Mode;
  readonly role: Role;
  /** Answers at once with a connection that takes frames; they go out when there is a hub. May throw what the platform throws. */
  connect(receiver: Receiver): Connection;
  /** The hub on the connection said welcome. */
  adopted(hub: string, epoch: number): void;
  /** That hub is gone. `isSucceeded`: another has taken its place on the same connection, as WebKit does it. */
  lost(isSucceeded: boolean): void;
  close(): void;
}

/** Throws `HUB_UNSUPPORTED` for a mode that this browser cannot have. */
export function routeTo(env: Environment, place: Place, mode: Mode | 'auto'): Route {
  const hasShared = (env: Environment): env is SharedEnvironment => env.connect !== null;
  if (hasShared(env) && mode !== 'leader') return new SharedRoute(env, place);
  if (mode === 'shared') throw unsupported("it has no SharedWorker; leave 'mode' at 'auto'");
  if (!env.locks && !env.storage) throw unsupported('without SharedWorker the tabs must elect one of them, and it has neither Web Locks nor localStorage; allow the site to store data');
  return new LeaderRoute(env, place);
}

function unsupported(why: string): HubError {
  return new HubError('HUB_UNSUPPORTED', `tabhub cannot run in this browser, or this kind of worker: ${why}`);
}
