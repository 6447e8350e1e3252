/**
 * What the client needs from the world around it, as one seam: a browser's tab gives `browserEnvironment`, the tests a world of their
 * own. The client names no global but these and the language's. Adapters only: nothing here decides.
 */
import type { LogEvent } from './options.js';

/** A port to a hub. */
export interface Connection {
  /** Sends one frame; its buffer is transferred. */
  send(frame: ArrayBuffer): void;
  close(): void;
}

/** What comes from a port. */
export interface Receiver {
  message(data: unknown): void;
  /** The worker's script could not be loaded or run. Browsers give no reason. */
  loadFailed(): void;
  /** The page took the connection away. */
  cut(): void;
}

export interface Environment {
  /**
   * Connects to the worker `workerName` at `url`; `again` if another of that name is gone. Throws what the platform throws, for example
   * on a foreign origin.
   */
  connect(url: string, workerName: string, receiver: Receiver, again: boolean): Connection;
  /** Null where the platform has no Web Locks: then only deadlines tell that a hub is gone. */
  readonly locks: Pick<LockManager, 'request'> | null;
  /** What is missing here for tabhub to run at all, as a sentence; null if nothing. */
  readonly missing: string | null;
  /** Relative URLs in options are resolved against it. */
  readonly baseUrl: string;
  uuid(): string;
  /** Calls back after `ms`; the answer cancels. */
  timer(ms: number, callback: () => void): () => void;
  log(database: string, event: LogEvent): void;
}
