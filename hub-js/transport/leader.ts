/**
 * The way to a hub without SharedWorker: one tab is elected and hosts the hub in a dedicated worker of its own; the others reach that worker
 * over BroadcastChannel. The adapter of `election.ts`: it tells the election what happens and does what it says. It decides nothing.
 */
import type { ElectionAction, ElectionEvent } from '../election-events.js';
import { Election } from '../election.js';
import type { Channel, Connection, Environment, Host, PageEvent, Receiver } from '../environment.js';
import { HubError } from '../errors.js';
import { hold } from '../hold.js';
import type { Lease } from '../lease.js';
import { workerName } from '../protocol.js';
import { channelOf } from './channel.js';
import { Detour } from './detour.js';
import { readMessage } from './messages.js';
import type { Place, Role, Route } from './route.js';

/** How long a worker that is not wanted any more may take to end. */
const END_MS = 2_000;

export class LeaderRoute implements Route {
  readonly mode = 'leader';
  readonly #env: Environment;
  readonly #place: Place;
  readonly #id: string;
  /** Of the lock that the leader holds and of the lease in localStorage. */
  readonly #name: string;
  readonly #election: Election;
  readonly #channel: Channel | undefined;
  /** What has not been dealt with yet. */
  readonly #events: ElectionEvent[] = [];
  readonly #stopListening: () => void;
  #detour: Detour | undefined;
  #host: Host | undefined;
  /** Lets go of the leader's lock. */
  #release: (() => void) | undefined;
  #stopTimer: (() => void) | undefined;
  #isAside = false;

  constructor(env: Environment, place: Place) {
    this.#env = env;
    this.#place = place;
    this.#id = env.uuid();
    this.#name = `tabhub:${place.database}:leader`;
    this.#election = new Election(this.#id, { locks: env.locks !== null, lease: env.storage !== null, channel: env.channel !== null });
    this.#channel = env.channel?.(channelOf(place.database));
    this.#channel?.addEventListener('message', ({ data }) => {
      const message = readMessage(data);
      if (message?.tabhub === 'here') this.#tell({ type: 'here', hub: message.hub });
    });
    this.#stopListening = env.page.listen(event => this.#pageIs(event));
    this.#tell({ type: 'visible', visible: env.page.isVisible });
  }

  get role(): Role {
    return this.#election.role === 'leader' ? 'leader' : 'follower';
  }

  connect(receiver: Receiver): Connection {
    const detour = new Detour(this.#env, this.#place.database, receiver);
    // Later: what follows may end the connection at once, and its owner must have it by then. What the election says until then is of the last one.
    this.#detour = undefined;
    queueMicrotask(() => {
      this.#detour = detour;
      this.#tell({ type: 'seek' });
    });
    return detour;
  }

  adopted(hub: string, epoch: number): void {
    if (this.role === 'leader') this.#tell({ type: 'hosting', hub, epoch });
  }

  lost(): void {}

  close(): void {
    this.#tell({ type: 'close' });
    this.#stopListening();
    this.#stopTimer?.();
    this.#channel?.close();
  }

  /** An action may bring on the next event: that one waits until all actions are done. */
  #tell(event: ElectionEvent): void {
    if (this.#events.push(event) > 1) return;
    for (let next: ElectionEvent | undefined; (next = this.#events[0]); this.#events.shift()) {
      for (const action of this.#election.handle(next, this.#env.now(), this.#readLease())) this.#act(action);
    }
    this.#stopTimer?.();
    const { wakeAt } = this.#election;
    this.#stopTimer = wakeAt === undefined ? undefined : this.#env.timer(Math.max(0, wakeAt - this.#env.now()), () => this.#tell({ type: 'wake' }));
  }

  #act(action: ElectionAction): void {
    switch (action.type) {
      case 'ask': return this.#channel?.postMessage({ tabhub: 'who', from: this.#id });
      case 'probe': return this.#requestLock({ ifAvailable: true });
      case 'steal': return this.#requestLock({ steal: true });
      case 'release': return this.#release?.();
      case 'write': return this.#writeLease(action.lease);
      case 'host': return this.#startHost();
      case 'unhost': return this.#endHost();
      case 'follow': return this.#detour?.leadTo(action.hub);
      case 'lost': return this.#detour?.cut(action.why);
      case 'unreachable': return this.#detour?.fail(new HubError('HUB_UNREACHABLE', action.why));
    }
  }

  #startHost(): void {
    const { url, database } = this.#place;
    this.#endHost();
    const current = (act: (data: unknown) => void) => (data?: unknown): void => { if (this.#host === host) act(data) };
    const host = this.#host = this.#env.start(url, workerName(database, 0), {
      message: current(data => this.#hostSays(data)),
      loadFailed: current(() => {
        this.#detour?.loadFailed();
        this.#tell({ type: 'ended' });
      }),
    });
    this.#detour?.lead(receiver => host.connect(receiver));
  }

  /** One that has failed may still be telling the other tabs why. A page that is put aside has no time to lose. */
  #endHost(): void {
    const host = this.#host;
    this.#host = undefined;
    if (this.#isAside) return host?.terminate();
    host?.end();
    if (host) this.#env.timer(END_MS, () => host.terminate());
  }

  #hostSays(data: unknown): void {
    const message = readMessage(data);
    if (message?.tabhub === 'hosting') this.#tell({ type: 'hosting', hub: message.hub, epoch: 0 });
    if (message?.tabhub === 'elsewhere') this.#tell({ type: 'elsewhere', hub: message.hub });
    if (message?.tabhub === 'tick') this.#tell({ type: 'tick' });
    if (message?.tabhub === 'ended') this.#tell({ type: 'ended' });
  }

  #pageIs(event: PageEvent): void {
    if (event === 'storage') return this.#tell({ type: 'lease' });
    if (event === 'visibility') return this.#tell({ type: 'visible', visible: this.#env.page.isVisible });
    this.#isAside = event === 'hide' || event === 'freeze';
    this.#tell({ type: this.#isAside ? 'hide' : 'show' });
  }

  #requestLock(how: LockOptions): void {
    const lost = (): void => this.#tell({ type: 'lock', state: 'lost' });
    if (this.#env.locks) hold(this.#env.locks, this.#name, how, lost).then(release => {
      // First, because the election may not want it any more.
      if (release) this.#release = release;
      this.#tell({ type: 'lock', state: release ? 'granted' : 'refused' });
    }, lost);
  }

  #readLease(): Lease | null {
    try {
      const { holder, epoch, expires } = JSON.parse(this.#env.storage?.getItem(this.#name) ?? '') as Partial<Lease>;
      return typeof holder === 'string' && Number.isFinite(epoch) && Number.isFinite(expires) ? { holder, epoch, expires } as Lease : null;
    } catch {
      // None yet, or what some other script wrote: as good as none.
      return null;
    }
  }

  #writeLease(lease: Lease): void {
    try {
      this.#env.storage?.setItem(this.#name, JSON.stringify(lease));
    } catch {
      // localStorage is full. The others see a lease that nobody renews, and ask the hub itself before they act on that.
    }
  }
}
