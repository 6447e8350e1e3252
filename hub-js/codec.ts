/**
 * Frames and value blocks as bytes; the layout is drawn in `protocol.ts`, the hub's side is `src/wire`.
 * `session.ts` encodes requests and decodes responses here. Nothing here knows what a message means.
 *
 * Typed arrays read in the machine's byte order; every machine with a browser is little-endian, as the wire is.
 */
import { HubError } from './errors.js';
import type { Request, Response } from './protocol.js';
import type { SqlValue, WireValue } from './values.js';

/** Whether integers arrive as numbers: where they are safe, always (rounding), or never. */
export type BigIntMode = 'auto' | 'number' | 'bigint';

/** A part of a payload: its size, and how it writes itself. */
export interface PayloadPart { readonly bytes: number; write(target: Uint8Array, at: number): void }

const NULL = 0, INTEGER = 1, INTEGER_64 = 2, REAL = 3, TEXT = 4, BLOB = 5;
const HEADER_BYTES = 24;
const encoder = new TextEncoder();
// A text may begin with U+FEFF: without ignoreBOM the decoder would swallow it and shift every text after it.
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The next multiple of 8. */
export const padded = (length: number): number => Math.ceil(length / 8) * 8;

/** Most headers are encoded here first: then their frame is made once, as long as it must be. */
const scratch = new Uint8Array(4 * 1024);
/** The most bytes of UTF-8 that a UTF-16 unit takes. */
const UNIT_BYTES_MAX = 3;

/** UTF-8 that is good until the next call. */
function utf8(text: string): Uint8Array {
  if (text.length * UNIT_BYTES_MAX > scratch.length) return encoder.encode(text);
  return scratch.subarray(0, encoder.encodeInto(text, scratch).written);
}

/** One frame: the request as JSON, then the parts, each of which must be a multiple of 8 long except the last. Throws `HUB_LIMIT`. */
export function encodeRequest(request: Request, parts: readonly PayloadPart[] = []): ArrayBuffer {
  const header = utf8(JSON.stringify(request));
  let at = padded(4 + header.length);
  const frame = allocate(parts.reduce((size, part) => size + part.bytes, at));
  new DataView(frame.buffer).setUint32(0, header.length, true);
  frame.set(header, 4);
  for (const part of parts) {
    part.write(frame, at);
    at += part.bytes;
  }
  return frame.buffer;
}

function allocate(bytes: number): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(bytes);
  } catch (cause) {
    throw new HubError('HUB_LIMIT', `a request of ${bytes} bytes is larger than this browser can send at once; split it`, { cause });
  }
}

/** Splits a frame of the hub, which begins at a multiple of 8. Throws `HUB_PROTOCOL` when it is none. */
export function decodeResponse({ buffer, byteOffset, byteLength }: Uint8Array): { response: Response; payload: Uint8Array } {
  try {
    const length = new DataView(buffer, byteOffset, byteLength).getUint32(0, true);
    const header = new Uint8Array(buffer, byteOffset + 4, length);
    const payloadAt = padded(4 + length);
    const payload = new Uint8Array(buffer, byteOffset + payloadAt, byteLength - payloadAt);
    const response = JSON.parse(decoder.decode(header)) as Response;
    if (typeof response?.hub !== 'string' || typeof response.re !== 'number' || !response.body || typeof response.body !== 'object') {
      throw new TypeError('hub, re or body is missing');
    }
    return { response, payload };
  } catch (cause) {
    throw new HubError('HUB_PROTOCOL', 'the hub sent a frame that this client does not understand', { outcome: 'unknown', cause });
  }
}

/** Raw bytes as a payload. */
export function rawPart(bytes: Uint8Array): PayloadPart {
  return { bytes: bytes.length, write: (target, at) => target.set(bytes, at) };
}

/** Texts as UTF-8, one behind the other. */
class Heap {
  #bytes: Uint8Array<ArrayBuffer>;
  used = 0;

  /** Room for `units` of UTF-16, if all are ASCII. */
  constructor(units: number) {
    this.#bytes = new Uint8Array(units);
  }

  /** The bytes that the text takes. */
  add(text: string): number {
    const begin = this.used;
    const { read, written } = encoder.encodeInto(text, this.#bytes.subarray(begin));
    this.used += written;
    if (read < text.length) {
      const rest = encoder.encode(text.slice(read));
      const grown = new Uint8Array(this.used + rest.length + this.#bytes.length);
      grown.set(this.bytes);
      grown.set(rest, this.used);
      this.#bytes = grown;
      this.used += rest.length;
    }
    return this.used - begin;
  }

  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.used);
  }
}

/** One block of parameters, measured now and written once, straight into its frame. */
export class ValueBlock implements PayloadPart {
  readonly bytes: number;
  readonly #values: readonly WireValue[];
  readonly #heap: Heap;
  readonly #blobs: Uint8Array[] = [];
  /** Bytes of each text and blob, in the order of the values. */
  readonly #lengths: number[] = [];
  #numbers = 0;
  #blobBytes = 0;

  constructor(values: readonly WireValue[]) {
    this.#values = values;
    this.#heap = new Heap(values.reduce<number>((units, value) => units + (typeof value === 'string' ? value.length : 0), 0));
    for (const value of values) this.#measure(value);
    this.bytes = HEADER_BYTES + padded(values.length) + this.#numbers * 8 + padded(this.#lengths.length * 4 + this.#heap.used + this.#blobBytes);
  }

  #measure(value: WireValue): void {
    if (typeof value === 'string') {
      this.#lengths.push(this.#heap.add(value));
    } else if (value instanceof Uint8Array) {
      this.#blobs.push(value);
      this.#lengths.push(value.length);
      this.#blobBytes += value.length;
    } else if (value !== null) {
      this.#numbers += 1;
    }
  }

  write(target: Uint8Array, at: number): void {
    const view = new DataView(target.buffer, at, this.bytes);
    const words = [this.#values.length, this.#numbers, this.#lengths.length, this.#heap.used, this.#blobBytes];
    words.forEach((word, index) => view.setUint32(index * 4, word, true));
    this.#values.forEach((value, index) => view.setUint8(HEADER_BYTES + index, typeOf(value)));
    const lengthsAt = this.#writeNumbers(view, HEADER_BYTES + padded(this.#values.length));
    this.#lengths.forEach((length, index) => view.setUint32(lengthsAt + index * 4, length, true));
    let heap = at + lengthsAt + this.#lengths.length * 4;
    for (const bytes of [this.#heap.bytes, ...this.#blobs]) {
      target.set(bytes, heap);
      heap += bytes.length;
    }
  }

  #writeNumbers(view: DataView, at: number): number {
    for (const value of this.#values) {
      if (typeof value === 'number') view.setFloat64(at, value, true);
      else if (typeof value === 'bigint') view.setBigInt64(at, value, true);
      else continue;
      at += 8;
    }
    return at;
  }
}

function typeOf(value: WireValue): number {
  switch (typeof value) {
    case 'number': return Number.isSafeInteger(value) ? INTEGER : REAL;
    case 'bigint': return INTEGER_64;
    case 'string': return TEXT;
    default: return value === null ? NULL : BLOB;
  }
}

/** Reads the value blocks of a response, in order. */
export class BlockReader {
  readonly #payload: Uint8Array;
  readonly #bigint: BigIntMode;
  #at = 0;

  constructor(payload: Uint8Array, bigint: BigIntMode) {
    this.#payload = payload;
    this.#bigint = bigint;
  }

  /** The `count` values of the next block. Throws `HUB_PROTOCOL` when the block says otherwise. */
  values(count: number): SqlValue[] {
    try {
      return this.#values(count);
    } catch (cause) {
      throw new HubError('HUB_PROTOCOL', 'the hub sent a value block that this client does not understand', { outcome: 'unknown', cause });
    }
  }

  #values(count: number): SqlValue[] {
    const { buffer } = this.#payload;
    const start = this.#payload.byteOffset + this.#at;
    const [held, numbers, slices, heapBytes, blobBytes] = new Uint32Array(buffer, start, 6) as unknown as [number, number, number, number, number];
    if (held !== count) throw new RangeError(`${held} values instead of ${count}`);
    const types = new Uint8Array(buffer, start + HEADER_BYTES, count);
    let at = start + HEADER_BYTES + padded(count);
    const floats = new Float64Array(buffer, at, numbers);
    const integers = new BigInt64Array(buffer, at, numbers);
    at += numbers * 8;
    const lengths = new Uint32Array(buffer, at, slices);
    at += slices * 4;
    const heap = decoder.decode(new Uint8Array(buffer, at, heapBytes));
    const blobs = new Uint8Array(buffer, at + heapBytes, blobBytes);
    this.#at += padded(at + heapBytes + blobBytes - start);
    return decodeValues(types, { floats, integers, lengths, heap, blobs }, this.#bigint);
  }
}

interface Sections { floats: Float64Array; integers: BigInt64Array; lengths: Uint32Array; heap: string; blobs: Uint8Array }

function decodeValues(types: Uint8Array, { floats, integers, lengths, heap, blobs }: Sections, bigint: BigIntMode): SqlValue[] {
  const values = new Array<SqlValue>(types.length);
  let number = 0, slice = 0, text = 0, blob = 0;
  for (let index = 0; index < types.length; index++) {
    switch (types[index]) {
      case NULL: values[index] = null; break;
      case INTEGER: values[index] = bigint === 'bigint' ? BigInt(floats[number++] as number) : floats[number++] as number; break;
      case INTEGER_64: values[index] = bigint === 'number' ? Number(integers[number++]) : integers[number++] as bigint; break;
      case REAL: values[index] = floats[number++] as number; break;
      case TEXT: values[index] = heap.slice(text, text += lengths[slice++] as number); break;
      case BLOB: values[index] = blobs.slice(blob, blob += lengths[slice++] as number); break;
      default: throw new TypeError(`unknown value type ${types[index]}`);
    }
  }
  const allUsed = number === floats.length && slice === lengths.length && text === heap.length && blob === blobs.length;
  if (!allUsed) throw new RangeError('lengths do not add up');
  return values;
}
