/**
 * Bundles: several frames as one message, because a message costs more than what is in it. The layout is drawn in `protocol.ts`, the hub's side
 * is `src/wire/bundle.rs`. `link.ts` sends through a `Bundler`. It never delays a frame beyond the task that made it, nor changes their order.
 */
import { padded } from './codec.js';
import { HubError } from './errors.js';

/** A larger frame goes by itself: to copy it once more would cost more than its message. */
export const FRAME_BYTES_MAX = 4 * 1024;
/** So much goes at once, so that the hub can begin with it while the next is made. */
const BUNDLE_BYTES = 16 * 1024;

export class Bundler {
  readonly #post: (message: ArrayBuffer) => void;
  readonly #atEndOfTask = (): void => this.flush();
  #frames: ArrayBuffer[] = [];
  #bytes = 0;

  constructor(post: (message: ArrayBuffer) => void) {
    this.#post = post;
  }

  /** The frame goes out in the task that has made it. */
  add(frame: ArrayBuffer): void {
    if (frame.byteLength > FRAME_BYTES_MAX) {
      this.flush();
      return this.#post(frame);
    }
    this.#bytes += frame.byteLength;
    if (this.#frames.push(frame) === 1) queueMicrotask(this.#atEndOfTask);
    else if (this.#bytes >= BUNDLE_BYTES) this.flush();
  }

  /** What there is goes now. */
  flush(): void {
    const [frame] = this.#frames;
    if (!frame) return;
    const message = this.#frames.length === 1 ? frame : bundle(this.#frames);
    this.#frames = [];
    this.#bytes = 0;
    this.#post(message);
  }
}

function bundle(frames: readonly ArrayBuffer[]): ArrayBuffer {
  const message = new Uint8Array(padded(8 + frames.length * 4) + frames.reduce((sum, frame) => sum + padded(frame.byteLength), 0));
  const words = new Uint32Array(message.buffer, 0, 2 + frames.length);
  words[1] = frames.length;
  let at = padded(words.byteLength);
  for (const [index, frame] of frames.entries()) {
    words[2 + index] = frame.byteLength;
    message.set(new Uint8Array(frame), at);
    at += padded(frame.byteLength);
  }
  return message.buffer;
}

/** The frames of a message, each as its place in the buffer. Throws `HUB_PROTOCOL` for a bundle that contradicts itself. */
export function unbundle(message: ArrayBuffer): Uint8Array[] {
  const isBundle = message.byteLength >= 8 && new Uint32Array(message, 0, 1)[0] === 0;
  return isBundle ? framesOf(message) : [new Uint8Array(message)];
}

function framesOf(message: ArrayBuffer): Uint8Array[] {
  const [, count = 0] = new Uint32Array(message, 0, 2);
  const frames: Uint8Array[] = [];
  let at = padded(8 + count * 4);
  if (count > 1 && at <= message.byteLength) {
    for (const length of new Uint32Array(message, 8, count)) {
      if (at + length > message.byteLength) break;
      frames.push(new Uint8Array(message, at, length));
      at += padded(length);
    }
  }
  if (frames.length === count && count > 1 && at === message.byteLength) return frames;
  throw new HubError('HUB_PROTOCOL', 'the hub sent a bundle of frames that this client does not understand', { outcome: 'unknown' });
}
