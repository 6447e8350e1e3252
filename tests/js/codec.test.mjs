/** The codec against the oracle in wire.mjs, and against bytes nobody should send. */
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { BlockReader, HubError, ValueBlock, decodeResponse, encodeRequest, rawPart } from './client.mjs';
import { readBlocks, readRequest, responseFrame, tag } from './wire.mjs';

const text = fc.string({ unit: 'grapheme' });
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const value = fc.oneof(fc.constant(null), fc.integer(), fc.maxSafeInteger(), fc.double({ noNaN: true }), int64, text, fc.uint8Array({ maxLength: 40 }));
const tagged = fc.oneof(
  fc.constant(null), int64.map(x => ({ integer: String(x) })), fc.integer().map(x => ({ integer: String(x) })),
  fc.double({ noNaN: true }).filter(x => !Object.is(x, -0)).map(x => ({ real: String(x) })),
  text.map(x => ({ text: x })), fc.uint8Array({ maxLength: 40 }).map(x => ({ blob: Buffer.from(x).toString('hex') })),
);
/** As it arrives: in a buffer of its own, or after another frame in a bundle. */
const buffer = (bytes, before = 8) => { const whole = new Uint8Array(before + bytes.length); whole.set(bytes, before); return whole.subarray(before) };

/** What a client value should be for a tagged one. */
function expected(value, mode) {
  if (value === null) return null;
  if ('text' in value) return value.text;
  if ('blob' in value) return Uint8Array.from(Buffer.from(value.blob, 'hex'));
  if ('real' in value) return Number(value.real);
  const integer = BigInt(value.integer);
  if (mode === 'bigint') return integer;
  return mode === 'number' || Number.isSafeInteger(Number(integer)) && BigInt(Number(integer)) === integer ? Number(integer) : integer;
}

test('parameters reach the hub as they were, block by block', () => {
  fc.assert(fc.property(fc.array(fc.array(value, { maxLength: 20 }), { maxLength: 4 }), fc.string(), (blocks, sql) => {
    const request = { id: 3, op: { exec: { sql } } };
    const frame = encodeRequest(request, blocks.map(values => new ValueBlock(values)));
    const tags = blocks.map(values => values.map(tag));
    const { payload, ...header } = readRequest(frame);
    assert.deepEqual(header, request);
    assert.deepEqual(readBlocks(payload), tags);
  }));
});

test('rows reach the tab as they were, in every bigint mode', () => {
  fc.assert(fc.property(fc.array(fc.array(tagged, { maxLength: 20 }), { maxLength: 4 }), fc.constantFrom('auto', 'number', 'bigint'), fc.string(), (blocks, mode, hub) => {
    const header = { hub, re: 5, body: { begun: { tx: 1 } } };
    const { response, payload } = decodeResponse(buffer(responseFrame(header, blocks)));
    assert.deepEqual(response, header);
    const reader = new BlockReader(payload, mode);
    for (const values of blocks) assert.deepEqual(reader.values(values.length), values.map(value => expected(value, mode)));
  }));
});

test('a text that begins with a byte order mark keeps it, and the texts after it their place', () => {
  const blocks = [[{ text: '\uFEFFa' }, { text: 'b😀' }, { text: '' }, { text: '\0c' }]];
  const { payload } = decodeResponse(buffer(responseFrame({ hub: 'h', re: 1, body: {} }, blocks)));
  assert.deepEqual(new BlockReader(payload, 'auto').values(4), ['\uFEFFa', 'b😀', '', '\0c']);
});

test('texts of any length and script keep their places', () => {
  const texts = ['', 'ascii', 'ü'.repeat(300), '', '漢字'.repeat(50), 'x'.repeat(5000), '🐘'.repeat(200), 'end'];
  const block = new ValueBlock([1, ...texts.slice(0, 4), new Uint8Array([9]), ...texts.slice(4), null]);
  const [values] = readBlocks(readRequest(encodeRequest({ id: 1, op: { metrics: {} } }, [block])).payload);
  assert.deepEqual(values.filter(value => value?.text !== undefined).map(value => value.text), texts);
});

test('a blob is a copy: keeping it does not keep the frame', () => {
  const { payload } = decodeResponse(buffer(responseFrame({ hub: 'h', re: 1, body: {} }, [[{ blob: '0102' }]])));
  const [blob] = new BlockReader(payload, 'auto').values(1);
  assert.equal(blob.buffer.byteLength, 2);
});

test('a view into a larger buffer is sent as its own bytes only', () => {
  const whole = Uint8Array.of(1, 2, 3, 4, 5);
  const frame = encodeRequest({ id: 1, op: {} }, [new ValueBlock([whole.subarray(1, 3)])]);
  assert.deepEqual(readBlocks(readRequest(frame).payload), [[{ blob: '0203' }]]);
});

test('raw bytes stand behind the header as they are', () => {
  const frame = encodeRequest({ id: 0, op: { part: { target: 1, end: true } } }, [rawPart(Uint8Array.of(9, 8, 7))]);
  assert.deepEqual([...readRequest(frame).payload], [9, 8, 7]);
});

test('no bytes make the decoder do anything but refuse them', () => {
  const whole = responseFrame({ hub: 'h', re: 1, body: { begun: { tx: 1 } } }, [[{ text: 'text' }, { integer: '5' }, { blob: '00ff' }, null]]);
  const flipped = fc.tuple(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 })).map(([at, bits]) => {
    const bytes = Uint8Array.from(whole);
    bytes[at] ^= bits;
    return bytes;
  });
  const cut = fc.nat(whole.length - 1).map(length => Uint8Array.from(whole.subarray(0, length)));
  let refused = 0;
  fc.assert(fc.property(fc.oneof(fc.uint8Array({ maxLength: 80 }), flipped, cut), bytes => {
    try {
      new BlockReader(decodeResponse(buffer(bytes)).payload, 'auto').values(4);
    } catch (error) {
      assert.ok(error instanceof HubError && error.code === 'HUB_PROTOCOL', String(error));
      refused += 1;
    }
  }), { numRuns: 1000 });
  assert.ok(refused > 100, `only ${refused} of 1000 were refused`);
});

test('every cut of a frame with rows is refused', () => {
  const whole = responseFrame({ hub: 'h', re: 1, body: {} }, [[{ text: 'text' }, { integer: '5' }]]);
  for (let length = 0; length < whole.length - 7; length++) {
    assert.throws(() => new BlockReader(decodeResponse(buffer(whole.subarray(0, length))).payload, 'auto').values(2), { code: 'HUB_PROTOCOL' }, `cut at ${length}`);
  }
});

test('a block whose texts do not fill its heap is refused', () => {
  const whole = responseFrame({ hub: 'h', re: 1, body: {} }, [[{ text: 'abcdefgh' }]]);
  whole.writeUInt32LE(5, whole.length - 16);
  assert.throws(() => new BlockReader(decodeResponse(buffer(whole)).payload, 'auto').values(1), { code: 'HUB_PROTOCOL' });
});

test('a request larger than memory is refused as such', () => {
  assert.throws(() => encodeRequest({ id: 1, op: {} }, [{ bytes: 2 ** 52, write() {} }]), { code: 'HUB_LIMIT' });
});
