/**
 * Looking into a hub: who uses it, what it is doing, what is slow or stuck. Made by `open.ts`; the tables come from `src/hub/inspect.rs`, whose
 * columns are the properties here.
 */
import { BlockReader } from './codec.js';
import type { DatabaseEvents, Events } from './events.js';
import { HubError } from './errors.js';
import { KNOWN, checkOptions, type CallOptions, type LogEvent } from './options.js';
import { readResult } from './rows.js';
import type { Session } from './session.js';
import type { Status } from './status.js';

/** A tab that has the database open. */
export interface InspectedSession {
  /** Its number with this hub. */
  session: number;
  /** Its own name, the same on every hub. */
  client: string;
  /** 1 for the tab that asks, else 0. */
  isOwn: 0 | 1;
  /** The version of its script. */
  build: string;
  /** Since it has been with this hub, ms. */
  openMs: number;
  /** Requests that have not had their last answer. */
  requests: number;
  /** The number of its newest commit; 0: it has made none here. */
  lastWrite: number;
  /** What it asks of the block cache, in bytes; null: nothing. */
  cacheBytes: number | null;
}

/**
 * Where a request stands. `queued`: behind another of its tab. `awaiting-writer`: others write. `awaiting-block`: a part of the database is being
 * read. `running`; `suspended`: it has given way to others in its middle. `storing`: it is done, and its commit is on its way to the disk. `open`:
 * it waits for its tab to take or send the next part, or follows.
 */
export type RequestState = 'queued' | 'awaiting-writer' | 'awaiting-block' | 'running' | 'suspended' | 'storing' | 'open';

/** What a tab has asked for and is not done with. */
export interface InspectedRequest {
  /** Whose it is. */
  session: number;
  /** Its number with that tab. */
  id: number;
  /** `query`, `exec`, `batch`, `iterate`, `live` and so on, as the port protocol names it. */
  op: string;
  /** Its SQL, of a batch that of the first statement; at most 1,000 bytes. */
  sql: string;
  /** Where it stands. */
  state: RequestState;
  /** Since it came, ms. */
  ms: number;
}

/** A transaction that a tab has open. */
export interface InspectedTransaction {
  /** Whose it is. */
  session: number;
  /** Its number with this hub. */
  transaction: number;
  /** One that may write has the writer until it ends. */
  mode: 'read' | 'write';
  /** 1 while its tab has asked nothing of it. */
  isIdle: 0 | 1;
  /** Since it began, ms. */
  ms: number;
  /** The commit that a reading one sees; null for one that may write, which sees the newest. */
  snapshot: number | null;
}

/** A live query, which the hub runs once for all that follow it. */
export interface InspectedLive {
  /** The query. */
  sql: string;
  /** What it reads; null: it is run again after any commit. */
  tables: string | null;
  /** How many subscriptions, of all tabs. */
  followers: number;
  /** Of its present result. */
  rows: number;
  /** What the hub keeps of that. */
  bytes: number;
  /** The commit that its result is of. */
  commit: number;
  /** 1 while it is being run again. */
  isRunning: 0 | 1;
}

/** How many requests of one kind took about so long to their first answer, since the hub began. */
export interface InspectedLatency {
  /** As in `InspectedRequest`. */
  op: string;
  /** They took up to so many ms, and more than half of it: 1, 2, 4 … 65,536. Null: longer. */
  upToMs: number | null;
  /** How many. */
  count: number;
}

/** What the hub said, and when. */
export interface InspectedLogLine extends LogEvent {
  /** ms since 1970. */
  at: number;
}

/** What the hub is doing at one moment. */
export interface HubState {
  /** As `db.metrics()`. */
  metrics: Record<string, number>;
  /** The tabs. */
  sessions: InspectedSession[];
  /** What they have asked for, in order, tab by tab. */
  requests: InspectedRequest[];
  /** What they have open; at most one of them may write. */
  transactions: InspectedTransaction[];
  /** What is followed. */
  live: InspectedLive[];
  /** By kind, the shorter times first. */
  latencies: InspectedLatency[];
  /** The last 100 lines of the hub's log. */
  log: InspectedLogLine[];
}

/** A look into the hub of one database. Get one from `inspect`. It counts as a tab that has the database open. */
export class Inspector {
  /** The database's name. */
  readonly name: string;
  readonly #session: Session;
  readonly #events: Events;

  /** @internal */
  constructor(name: string, session: Session, events: Events) {
    this.name = name;
    this.#session = session;
    this.#events = events;
  }

  /** How the connection to the hub stands, and what the hub is. */
  get status(): Status {
    return this.#session.status;
  }

  /**
   * What the hub is doing now.
   * @example console.table((await inspector.state()).requests);
   */
  async state(options?: CallOptions): Promise<HubState> {
    const about = { what: 'state', writes: false, ...checkOptions(options, KNOWN.call, 'state') };
    const asked = [this.#session.request('metrics', { metrics: {} }, [], about), this.#session.request('results', { inspect: {} }, [], about)] as const;
    const [{ answer: metrics }, { answer: { results }, payload }] = await Promise.all(asked);
    const reader = new BlockReader(payload, 'auto');
    const [sessions, requests, transactions, live, latencies, log] = results.map(shape => readResult<never>(shape, reader, {}).rows);
    return { metrics, sessions, requests, transactions, live, latencies, log } as HubState;
  }

  /**
   * Stops a request of any tab, which gets `HUB_CANCELLED`. One that has been carried out meanwhile is left to its answer.
   * @example for (const request of (await inspector.state()).requests) if (request.ms > 10_000) inspector.cancel(request);
   */
  cancel(request: Pick<InspectedRequest, 'session' | 'id'>): void {
    const { session, id } = request ?? {};
    if (!Number.isSafeInteger(session) || !Number.isSafeInteger(id) || session < 0 || id < 0) throw new HubError('HUB_BAD_VALUE', 'cancel: give one of the requests of state(), with its session and id');
    this.#session.note({ cancel: { target: id, session } });
  }

  /**
   * Listens to an event, as `db.on`; what it returns ends that.
   * @example inspector.on('log', ({ level, message }) => console[level](message));
   */
  on<K extends keyof DatabaseEvents>(event: K, listener: (event: DatabaseEvents[K]) => void): () => void {
    return this.#events.on(event, listener);
  }

  /** Ends the look. */
  close(): Promise<void> {
    return this.#session.close();
  }
}
