/**
 * Frames as packets that a channel carries, and back: each frame once, in order, or not at all. Both ends of a connection use it. No clock and
 * no channel: how long a gap may last is for the ends to say.
 */
import type { Packet } from './messages.js';

/** A channel copies a message for its listener at once; larger frames go in parts, so that none copies for long. Both ends' builds must agree. */
const PART_BYTES = 256 * 1024;
/** How far ahead of the one that is due a packet may be to be kept. */
const EARLY_MAX = 256;

export class Packer {
  readonly #from: string;
  /** How many packets there were. */
  sent = 0;

  constructor(from: string) {
    this.#from = from;
  }

  pack(frame: ArrayBuffer): Packet[] {
    const packets: Packet[] = [];
    for (let at = 0; at === 0 || at < frame.byteLength; at += PART_BYTES) {
      const end = at + PART_BYTES;
      const bytes = at === 0 && end >= frame.byteLength ? frame : frame.slice(at, end);
      packets.push({ tabhub: 'packet', from: this.#from, seq: this.sent++, more: end < frame.byteLength, bytes });
    }
    return packets;
  }
}

export class Unpacker {
  #due = 0;
  /** The parts of the frame that has begun. */
  #parts: ArrayBuffer[] = [];
  readonly #early = new Map<number, Packet>();
  /** How many packets the other end is known to have sent. */
  #known = 0;

  /** The frames that are whole now, in order. A packet that came before is ignored, and so is what no packer makes. */
  take(packet: Packet): ArrayBuffer[] {
    const { seq, bytes } = packet;
    if (bytes.byteLength > PART_BYTES) return [];
    this.expect(seq + 1);
    // One that is too early to be kept is missing from now on.
    if (seq < this.#due || seq >= this.#due + EARLY_MAX) return [];
    this.#early.set(seq, packet);
    const frames: ArrayBuffer[] = [];
    for (let next; (next = this.#early.get(this.#due)); this.#due++) {
      this.#early.delete(this.#due);
      this.#parts.push(next.bytes);
      if (next.more) continue;
      frames.push(joined(this.#parts));
      this.#parts = [];
    }
    return frames;
  }

  /** The other end says that it has sent so many. */
  expect(sent: number): void {
    this.#known = Math.max(this.#known, sent);
  }

  /** The packet that is missing, if one is. */
  get missing(): number | undefined {
    return this.#due < this.#known ? this.#due : undefined;
  }
}

function joined(parts: readonly ArrayBuffer[]): ArrayBuffer {
  const [first] = parts;
  if (parts.length === 1 && first) return first;
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(new Uint8Array(part), at);
    at += part.byteLength;
  }
  return whole.buffer;
}
