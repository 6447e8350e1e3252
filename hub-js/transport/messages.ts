/**
 * What tabs and workers say to each other beside the hub's frames: on the channel `tabhub:<database>` that all of them share, on a
 * connection's own channel, and on ports. Any script of the origin may post there, so everything is checked before it is believed.
 */
import type { About } from '../version.js';

export type { About };

/** Hub and tab are named by their ids; `from` in packets tells the two ends of a connection apart. */
export interface Messages {
  /** To all: which hub owns the database? */
  who: { from: string };
  /** To all: this one; also unasked, once it does. */
  here: { hub: string } & About;
  /** To all: a worker wants the database. Its owner says `here`, or makes room for a newer one: `yielding`. */
  yield: { from: string } & About;
  yielding: { hub: string };
  /** To all: a tab wants a connection to this hub. It is on the channel of that name. */
  connect: { hub: string; client: string };
  connected: { hub: string };
  /** A frame, or a part of one that goes on in the next packet. */
  packet: { from: string; seq: number; more: boolean; bytes: ArrayBuffer };
  /** A sign of life, the tab's to be answered; `sent`: how many packets the other should have. */
  alive: { from: string; sent: number };
  bye: { from: string };
  /** Worker to tab: it has no hub yet. `yields`: whether it can suspend a long statement to answer others. */
  starting: { hub: string; yields: boolean };
  /** Worker to tab: the database is another hub's. */
  elsewhere: { hub: string };
  /** Tab to worker, and back: signs of life on a port. */
  ping: object;
  pong: { hub: string };
  /** Dedicated worker to the page that hosts it: it owns the database; time passes; it is over. */
  hosting: { hub: string };
  tick: object;
  ended: object;
  /** The page to the worker that it hosts: it is not wanted any more. */
  end: object;
}

export type Message = { [K in keyof Messages]: { tabhub: K } & Messages[K] }[keyof Messages];
export type Packet = Extract<Message, { tabhub: 'packet' }>;

type Kind = 'text' | 'count' | 'flag' | 'bytes';

const KINDS: Record<Kind, (value: unknown) => boolean> = {
  text: value => typeof value === 'string' && value !== '',
  count: value => Number.isSafeInteger(value) && Number(value) >= 0,
  flag: value => typeof value === 'boolean',
  bytes: value => value instanceof ArrayBuffer,
};

const ABOUT = { build: 'text', protocol: 'count', format: 'count' } as const;

const SHAPES: { [K in keyof Messages]: Record<keyof Messages[K], Kind> } = {
  who: { from: 'text' },
  here: { hub: 'text', ...ABOUT },
  yield: { from: 'text', ...ABOUT },
  yielding: { hub: 'text' },
  connect: { hub: 'text', client: 'text' },
  connected: { hub: 'text' },
  packet: { from: 'text', seq: 'count', more: 'flag', bytes: 'bytes' },
  alive: { from: 'text', sent: 'count' },
  bye: { from: 'text' },
  starting: { hub: 'text', yields: 'flag' },
  elsewhere: { hub: 'text' },
  ping: {},
  pong: { hub: 'text' },
  hosting: { hub: 'text' },
  tick: {},
  ended: {},
  end: {},
};

/** `data` as the message that it is; null for anything else. */
export function readMessage(data: unknown): Message | null {
  const fields = data as Record<string, unknown> | null | undefined;
  const name = typeof fields === 'object' ? fields?.tabhub : undefined;
  if (typeof name !== 'string' || !Object.hasOwn(SHAPES, name)) return null;
  const shape = Object.entries<Kind>(SHAPES[name as keyof Messages]);
  return shape.every(([field, kind]) => KINDS[kind](fields?.[field])) ? data as Message : null;
}
