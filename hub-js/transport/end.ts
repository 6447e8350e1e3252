/**
 * One end of a connection over a channel that it has with the other end alone. `channel.ts` has the tab's, `switchboard.ts` the hub's. A
 * packet that does not come ends the connection: nobody goes on with a hole in what was said.
 */
import type { Channel } from '../environment.js';
import { readMessage, type Message, type Packet } from './messages.js';
import { Packer, Unpacker } from './packets.js';

/** How long a packet may be late, after those behind it. */
const GAP_MS = 2_000;

export type Side = 'tab' | 'hub';
const OTHER: Record<Side, Side> = { tab: 'hub', hub: 'tab' };

export interface EndEvents {
  frame(frame: ArrayBuffer): void;
  /** Anything else that the other end says, be it only a part of a frame: a sign of life. */
  message(message: Message): void;
  /** It is over, and not by us. */
  over(why: string): void;
}

export class End {
  readonly #channel: Channel;
  readonly #side: Side;
  readonly #timer: (ms: number, callback: () => void) => () => void;
  readonly #events: EndEvents;
  readonly #packer: Packer;
  readonly #unpacker = new Unpacker();
  #stopGap: (() => void) | undefined;
  #isOver = false;

  constructor(channel: Channel, side: Side, timer: (ms: number, callback: () => void) => () => void, events: EndEvents) {
    this.#channel = channel;
    this.#side = side;
    this.#timer = timer;
    this.#events = events;
    this.#packer = new Packer(side);
    channel.addEventListener('message', ({ data }) => this.#receive(data));
  }

  send(frame: ArrayBuffer): void {
    for (const packet of this.#packer.pack(frame)) this.say(packet);
  }

  say(message: Message): void {
    if (!this.#isOver) this.#channel.postMessage(message);
  }

  /** A sign of life, which the hub's end answers. */
  live(): void {
    this.say({ tabhub: 'alive', from: this.#side, sent: this.#packer.sent });
  }

  /** May be called again. */
  close(): void {
    this.say({ tabhub: 'bye', from: this.#side });
    this.#isOver = true;
    this.#stopGap?.();
    this.#channel.close();
  }

  #receive(data: unknown): void {
    const message = readMessage(data);
    if (!message || this.#isOver || 'from' in message && message.from !== OTHER[this.#side]) return;
    switch (message.tabhub) {
      case 'packet':
        if (this.#unpack(message)) return;
        break;
      case 'alive':
        this.#unpacker.expect(message.sent);
        this.#mindTheGap();
        break;
      case 'bye': return this.#fail('the other end has closed the connection');
    }
    this.#events.message(message);
  }

  /** Whether it made a frame whole. */
  #unpack(packet: Packet): boolean {
    const frames = this.#unpacker.take(packet);
    this.#mindTheGap();
    for (const frame of frames) {
      // What came before may have ended the connection.
      if (!this.#isOver) this.#events.frame(frame);
    }
    return frames.length > 0;
  }

  #mindTheGap(): void {
    const { missing } = this.#unpacker;
    if (missing === undefined || this.#isOver) {
      this.#stopGap?.();
      this.#stopGap = undefined;
      return;
    }
    this.#stopGap ??= this.#timer(GAP_MS, () => {
      this.#stopGap = undefined;
      // Another one may be late by now, and have its own time.
      if (this.#unpacker.missing === missing) this.#fail(`packet ${missing} was lost`);
      else this.#mindTheGap();
    });
  }

  /** The other end may not know: what it said in our eyes may be another script's, and of a gap it knows nothing. */
  #fail(why: string): void {
    this.close();
    this.#events.over(why);
  }
}
