/**
 * The wire once more, written from the drawing in `hub-js/protocol.ts` alone: the oracle for the codec's tests and the mouth of the fake
 * hub. Values are tagged: null, {integer: '12'}, {real: '0.5'}, {text: 'a'}, {blob: '00ff'}.
 */
const align = n => n + (8 - n % 8) % 8;
const kindOf = value => value === null ? 'null' : Object.keys(value)[0];
const SAFE = 2n ** 53n - 1n;

/** A frame of either direction. `lengthOf` says how a text's length is counted: UTF-8 bytes to the hub, UTF-16 units to the tab. */
function encode(header, blocks, lengthOf) {
  const json = Buffer.from(JSON.stringify(header));
  const head = Buffer.alloc(align(4 + json.length));
  head.writeUInt32LE(json.length);
  json.copy(head, 4);
  const payload = blocks instanceof Uint8Array ? [blocks] : blocks.map(values => encodeBlock(values, lengthOf));
  return Buffer.concat([head, ...payload]);
}

function encodeBlock(values, lengthOf) {
  const types = [], numbers = [], lengths = [], texts = [], blobs = [];
  for (const value of values) {
    const kind = kindOf(value);
    if (kind === 'null') types.push(0);
    else if (kind === 'text') { types.push(4); texts.push(Buffer.from(value.text)); lengths.push(lengthOf(value.text)); }
    else if (kind === 'blob') { types.push(5); blobs.push(Buffer.from(value.blob, 'hex')); lengths.push(value.blob.length / 2); }
    else {
      const slot = Buffer.alloc(8);
      const integer = kind === 'integer' ? BigInt(value.integer) : 0n;
      const wide = integer > SAFE || integer < -SAFE;
      types.push(kind === 'real' ? 3 : wide ? 2 : 1);
      if (wide) slot.writeBigInt64LE(integer);
      else slot.writeDoubleLE(Number(value.real ?? value.integer));
      numbers.push(slot);
    }
  }
  const heap = Buffer.concat(texts), blob = Buffer.concat(blobs);
  const words = Buffer.from(Uint32Array.of(types.length, numbers.length, lengths.length, heap.length, blob.length, 0).buffer);
  const typed = Buffer.concat([Buffer.from(types)], align(types.length));
  const block = Buffer.concat([words, typed, ...numbers, Buffer.from(Uint32Array.from(lengths).buffer), heap, blob]);
  return Buffer.concat([block], align(block.length));
}

export const requestFrame = (header, blocks = []) => encode(header, blocks, text => Buffer.byteLength(text));
export const responseFrame = (header, blocks = []) => encode(header, blocks, text => text.length);

/** The frames of a message, which is one, or a bundle of several. */
export function framesOf(message) {
  const bytes = Buffer.from(message);
  if (bytes.readUInt32LE(0) !== 0) return [bytes];
  const count = bytes.readUInt32LE(4);
  let at = align(8 + count * 4);
  return Array.from({ length: count }, (_, index) => {
    const length = bytes.readUInt32LE(8 + index * 4);
    const frame = bytes.subarray(at, at + length);
    at += align(length);
    return frame;
  });
}

/** Several frames as one message. */
export function bundleOf(frames) {
  const words = Buffer.from(Uint32Array.of(0, frames.length, ...frames.map(frame => frame.length)).buffer);
  const parts = [words, ...frames].map(part => Buffer.concat([part], align(part.length)));
  return Uint8Array.from(Buffer.concat(parts)).buffer;
}

/** Splits a request: its header, and its payload's bytes. */
export function readRequest(buffer) {
  const frame = Buffer.from(buffer);
  const length = frame.readUInt32LE(0);
  return { ...JSON.parse(frame.toString('utf8', 4, 4 + length)), payload: frame.subarray(align(4 + length)) };
}

/** The tagged values of every block of a request's payload. */
export function readBlocks(payload) {
  const blocks = [];
  for (let at = 0; at < payload.length;) {
    const [count, numbers, slices, heapBytes, blobBytes] = Array.from({ length: 5 }, (_, index) => payload.readUInt32LE(at + index * 4));
    let number = at + 24 + align(count), length = number + numbers * 8;
    let text = length + slices * 4, blob = text + heapBytes;
    const types = payload.subarray(at + 24, at + 24 + count);
    at += align(blob + blobBytes - at);
    const takeLength = () => payload.readUInt32LE((length += 4) - 4);
    blocks.push(Array.from(types, type => {
      switch (type) {
        case 0: return null;
        case 1: return { integer: String(BigInt(payload.readDoubleLE((number += 8) - 8))) };
        case 2: return { integer: String(payload.readBigInt64LE((number += 8) - 8)) };
        case 3: return { real: String(payload.readDoubleLE((number += 8) - 8)) };
        case 4: { const size = takeLength(); return { text: payload.toString('utf8', text, text += size) }; }
        case 5: { const size = takeLength(); return { blob: payload.toString('hex', blob, blob += size) }; }
        default: throw new Error(`type ${type}`);
      }
    }));
  }
  return blocks;
}

/** A client value as its tag, by the rules of the public documentation. */
export function tag(value) {
  if (value === null) return null;
  if (typeof value === 'bigint') return { integer: String(value) };
  if (typeof value === 'number') return Number.isSafeInteger(value) ? { integer: String(value + 0) } : { real: String(value) };
  if (typeof value === 'string') return { text: value };
  return { blob: Buffer.from(value).toString('hex') };
}
