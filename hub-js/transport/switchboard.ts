/**
 * The hub's end of connections over BroadcastChannel, in its worker: answers who looks for the hub, and gives each tab that connects a port
 * to it, so that the hub itself knows of ports only. `worker.ts` makes one when it owns the database.
 */
import type { Channel } from '../environment.js';
import { timer } from '../timer.js';
import { channelOf } from './channel.js';
import { End } from './end.js';
import { readMessage, type About, type Message } from './messages.js';

/** A tab that has been silent for so long is taken for dead: the timers of hidden tabs may run once a minute. */
const SILENCE_MS = 150_000;
/** What hub or tab said last may still be under way in the port between them when the other has closed its end. */
const FAREWELL_MS = 1_000;

export interface SwitchboardOptions {
  database: string;
  hub: string;
  about: About;
  /** Whether the hub itself hears of a tab's death, once it has been sent a hello. */
  hasLocks: boolean;
  channel(name: string): Channel;
  accept(port: MessagePort): void;
  /** The tab at that port is gone. */
  gone(port: MessagePort): void;
}

interface Call {
  end: End;
  /** Ours, and the hub's. */
  port: MessagePort;
  hubPort: MessagePort;
  stopSilence: () => void;
}

export class Switchboard {
  readonly #options: SwitchboardOptions;
  readonly #rendezvous: Channel;
  readonly #calls = new Map<string, Call>();
  #isOpen = true;

  constructor(options: SwitchboardOptions) {
    this.#options = options;
    this.#rendezvous = options.channel(channelOf(options.database));
    this.#rendezvous.addEventListener('message', ({ data }) => this.#receive(readMessage(data)));
    this.#announce();
  }

  /** The hub has closed this port. */
  closed(hubPort: MessagePort): void {
    for (const [client, call] of this.#calls) {
      if (call.hubPort === hubPort) timer(FAREWELL_MS, () => this.#hangUp(client));
    }
  }

  /** The hub is over: it is not to be found any more; those who are connected still hear it. */
  retire(): void {
    this.#isOpen = false;
  }

  /** The worker ends: tells those who are still connected. */
  close(): void {
    this.retire();
    for (const client of [...this.#calls.keys()]) this.#hangUp(client)?.port.close();
    this.#rendezvous.close();
  }

  #announce(): void {
    const { hub, about } = this.#options;
    this.#rendezvous.postMessage({ tabhub: 'here', hub, ...about });
  }

  #receive(message: Message | null): void {
    if (!this.#isOpen) return;
    if (message?.tabhub === 'who') this.#announce();
    if (message?.tabhub === 'connect' && message.hub === this.#options.hub) this.#connect(message.client);
  }

  /** Tabs ask until they are answered, so more than once. */
  #connect(client: string): void {
    const call = this.#calls.get(client) ?? this.#take(client);
    call.end.say({ tabhub: 'connected', hub: this.#options.hub });
  }

  #take(client: string): Call {
    const { database, hub, channel, accept } = this.#options;
    const { port1: port, port2: hubPort } = new MessageChannel();
    const end = new End(channel(channelOf(database, hub, client)), 'hub', timer, {
      frame: frame => {
        this.#heard(client);
        port.postMessage(frame, [frame]);
      },
      message: message => {
        if (message.tabhub === 'alive') end.live();
        this.#heard(client);
      },
      over: () => this.#lose(client),
    });
    const call = { end, port, hubPort, stopSilence: this.#mindSilence(client) };
    this.#calls.set(client, call);
    port.onmessage = ({ data }) => data instanceof ArrayBuffer ? end.send(data) : end.say(data);
    accept(hubPort);
    return call;
  }

  #heard(client: string): void {
    const call = this.#calls.get(client);
    if (!call) return;
    call.stopSilence();
    if (!this.#options.hasLocks) call.stopSilence = this.#mindSilence(client);
  }

  /** A tab may have given up before its connection was made: then no hello comes, and only its silence tells. */
  #mindSilence(client: string): () => void {
    return timer(SILENCE_MS, () => this.#lose(client));
  }

  #lose(client: string): void {
    const call = this.#hangUp(client);
    if (!call) return;
    timer(FAREWELL_MS, () => {
      call.port.close();
      this.#options.gone(call.hubPort);
    });
  }

  #hangUp(client: string): Call | undefined {
    const call = this.#calls.get(client);
    this.#calls.delete(client);
    call?.stopSilence();
    call?.end.close();
    return call;
  }
}
