/** A tab's connection to a hub that it has no port to: over BroadcastChannel. The hub's end is `switchboard.ts`. Called by `detour.ts`. */
import type { Channel, Connection, Environment, Receiver } from '../environment.js';
import { End } from './end.js';

/** How often the hub is asked for a connection until it answers. */
const CONNECT_MS = 100;

type ChannelEnvironment = Pick<Environment, 'timer' | 'uuid'> & { channel(name: string): Channel };

/** The channels' names: all of the database, or the one connection. */
export const channelOf = (database: string, hub?: string, client?: string): string => ['tabhub', database, hub, client].filter(Boolean).join(':');

/** What is sent before the hub has answered goes out then. It asks until `close`: how long to wait is the caller's to say. */
export function connectOverChannel(env: ChannelEnvironment, database: string, hub: string, receiver: Pick<Receiver, 'message' | 'cut'>): Connection {
  const client = env.uuid();
  const rendezvous = env.channel(channelOf(database));
  let waiting: ArrayBuffer[] | undefined = [];
  let stop = (): void => {};
  const stopAsking = (): void => {
    stop();
    rendezvous.close();
  };
  const connected = (): void => {
    const frames = waiting ?? [];
    waiting = undefined;
    stopAsking();
    for (const frame of frames) end.send(frame);
  };
  const end = new End(env.channel(channelOf(database, hub, client)), 'tab', (ms, callback) => env.timer(ms, callback), {
    frame: frame => receiver.message(frame),
    message(message) {
      if (message.tabhub === 'connected') connected();
      receiver.message(message);
    },
    over: why => receiver.cut(why),
  });
  const ask = (): void => {
    rendezvous.postMessage({ tabhub: 'connect', hub, client });
    stop = env.timer(CONNECT_MS, ask);
  };
  ask();
  return {
    send(frame) {
      if (waiting) waiting.push(frame);
      else end.send(frame);
    },
    ping: () => end.live(),
    close() {
      stopAsking();
      end.close();
    },
  };
}
