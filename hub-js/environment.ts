/**
 * What the client needs from the world around it, as one seam: a browser's tab gives `browserEnvironment`, the tests a world of their
 * own. The client names no global but these and the language's. Adapters only: nothing here decides.
 */
import type { HubError } from './errors.js';
import type { Locks } from './hold.js';
import type { LogEvent } from './options.js';

/** A connection to a hub, or to where one will be. */
export interface Connection {
  /** Sends one message: a frame, or a bundle of them. The buffer of one larger than `FRAME_BYTES_MAX` is transferred; others may be kept. */
  send(message: ArrayBuffer): void;
  /** Asks for a sign of life: the worker answers by itself, whatever its hub is doing between two statements. */
  ping(): void;
  close(): void;
}

/** What comes from a connection. */
export interface Receiver {
  message(data: unknown): void;
  /** The worker's script could not be loaded or run. Browsers give no reason. */
  loadFailed(): void;
  /** The connection is gone; another one may be made. */
  cut(why: string): void;
  /** There will be none, for a reason that trying again does not cure. */
  failed(error: HubError): void;
}

/** As much of a BroadcastChannel as is used. */
export type Channel = Pick<BroadcastChannel, 'postMessage' | 'close' | 'addEventListener'>;

/** A dedicated worker. */
export interface Host {
  /** A port to the hub in it. */
  connect(receiver: Receiver): Connection;
  /** Asks it to end, when it has said what it has to say. */
  end(): void;
  terminate(): void;
}

/**
 * What befalls a page. `hide`: it goes, perhaps into the back/forward cache; `show`: it is back from there. `freeze` and `resume`: it stands
 * still where it is.
 */
export type PageEvent = 'hide' | 'show' | 'freeze' | 'resume' | 'visibility' | 'storage';

export interface Environment {
  /**
   * Connects to the SharedWorker `workerName` at `url`, which lives on for a while after its last tab where the browser can do that; null where
   * there are none. Throws what the platform throws, for example on a foreign origin.
   */
  readonly connect: ((url: string, workerName: string, receiver: Receiver) => Connection) | null;
  /** Starts a dedicated worker; what it posts by itself, and not to a port, goes to `message`. */
  start(url: string, workerName: string, events: Pick<Receiver, 'message' | 'loadFailed'>): Host;
  /** Null where the platform has no BroadcastChannel: then only a SharedWorker's hub can be reached from other tabs. */
  readonly channel: ((name: string) => Channel) | null;
  /** Null where the platform has no Web Locks: then only silence tells that a hub is gone. */
  readonly locks: Locks | null;
  /** localStorage, or null where the page may not use it. */
  readonly storage: Pick<Storage, 'getItem' | 'setItem'> | null;
  readonly page: {
    readonly isVisible: boolean;
    /** The answer ends it. */
    listen(listener: (event: PageEvent) => void): () => void;
  };
  /** What is missing here for tabhub to run at all, as a sentence; null if nothing. */
  readonly missing: string | null;
  /** Relative URLs in options are resolved against it. */
  readonly baseUrl: string;
  uuid(): string;
  /** Milliseconds of the system's clock, which the tabs share. */
  now(): number;
  /** Calls back after `ms`; the answer cancels. */
  timer(ms: number, callback: () => void): () => void;
  /** Begins a measure for the browser's performance tools; the answer ends it. */
  measure(name: string, detail: object): () => void;
  /** Deletes what is stored for a database that no hub has open. Rejects with `HUB_STORAGE`. */
  deleteStorage(database: string): Promise<void>;
  /** The names of what is stored. Rejects where the browser cannot tell. */
  databases(): Promise<string[]>;
  log(database: string, event: LogEvent): void;
}
