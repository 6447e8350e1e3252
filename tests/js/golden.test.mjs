/**
 * The frames of tests/wire_golden, which `tests/wire_golden.rs` reads too. `values` are tagged as in wire.mjs, or hex for raw bytes.
 * A change here is a change of the protocol: raise PROTOCOL_VERSION.
 */
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { BlockReader, FORMAT, PROTOCOL_VERSION, ROOT, ValueBlock, decodeResponse, encodeRequest, rawPart } from './client.mjs';
import { tag } from './wire.mjs';

const folder = join(ROOT, 'tests/wire_golden');
const frames = readdirSync(folder).map(file => JSON.parse(readFileSync(join(folder, file), 'utf8')));

const untag = value => {
  if (value === null) return null;
  if ('integer' in value) return Number.isSafeInteger(Number(value.integer)) ? Number(value.integer) : BigInt(value.integer);
  if ('real' in value) return Number(value.real);
  return value.text ?? Uint8Array.from(Buffer.from(value.blob, 'hex'));
};
const parts = values => typeof values === 'string' ? [rawPart(Buffer.from(values, 'hex'))] : values.map(block => new ValueBlock(block.map(untag)));

test('there are golden frames of both directions', () => {
  assert.ok(frames.filter(frame => frame.direction === 'request').length >= 15);
  assert.ok(frames.filter(frame => frame.direction === 'response').length >= 12);
});

// The hub's test holds its constants to the same frames.
test('the golden hello and welcome are of this build', () => {
  const { hello } = frames.find(({ name }) => name === 'hello').header.op;
  const { welcome } = frames.find(({ name }) => name === 'welcome').header.body;
  for (const { protocol, format } of [hello, welcome]) assert.deepEqual({ protocol, format }, { protocol: PROTOCOL_VERSION, format: FORMAT });
});

for (const { name, direction, header, values, hex } of frames) {
  test(`golden ${direction} ${name}`, () => {
    if (direction === 'request') return assert.equal(Buffer.from(encodeRequest(header, parts(values))).toString('hex'), hex);
    const { response, payload } = decodeResponse(Uint8Array.from(Buffer.from(hex, 'hex')));
    assert.deepEqual(response, header);
    if (typeof values === 'string') return assert.equal(Buffer.from(payload).toString('hex'), values);
    const reader = new BlockReader(payload, 'auto');
    for (const block of values) assert.deepEqual(reader.values(block.length).map(tag), block.map(untag).map(tag));
  });
}
