/** Several frames as one message, against the oracle in wire.mjs, and in calls. */
import assert from 'node:assert/strict';
import nodeTest from 'node:test';
import fc from 'fast-check';
import { Bundler, FRAME_BYTES_MAX, unbundle } from './client.mjs';
import { bundleOf, framesOf, responseFrame } from './wire.mjs';
import { createWorld, later, test } from './world.mjs';

const frame = (bytes, fill = 7) => { const whole = new Uint8Array(4 + bytes).fill(fill); whole[0] = 1; return whole };
const buffer = bytes => Uint8Array.from(bytes).buffer;
const plain = frames => frames.map(bytes => [...bytes]);

nodeTest('frames reach the hub whole and in order, those of one task in few messages', async () => {
  const size = fc.oneof({ weight: 20, arbitrary: fc.nat(300) }, { weight: 1, arbitrary: fc.nat(2 * FRAME_BYTES_MAX) });
  await fc.assert(fc.asyncProperty(fc.array(size, { maxLength: 150 }), async sizes => {
    const messages = [], bundler = new Bundler(message => messages.push(message));
    const frames = sizes.map((bytes, index) => frame(bytes, index % 256));
    for (const each of frames) bundler.add(buffer(each));
    await null;
    assert.deepEqual(plain(messages.flatMap(framesOf)), plain(frames));
    const large = sizes.filter(bytes => bytes + 4 > FRAME_BYTES_MAX).length, bytes = sizes.reduce((sum, size) => sum + size + 4, 0);
    assert.ok(messages.length <= 2 * large + 1 + bytes / (16 * 1024), `${messages.length} messages`);
  }));
});

nodeTest('a frame by itself goes as it is, and before the task ends', async () => {
  const messages = [], bundler = new Bundler(message => messages.push(message)), only = buffer(frame(20));
  bundler.add(only);
  await null;
  assert.deepEqual(messages, [only]);
  bundler.flush();
  assert.equal(messages.length, 1);
});

nodeTest('a bundle is taken apart; one that is cut, too long or no bundle is refused', () => {
  const frames = [frame(1), frame(60), frame(8)], whole = new Uint8Array(bundleOf(frames));
  assert.deepEqual(plain(unbundle(whole.buffer)), plain(frames));
  for (let length = 8; length < whole.length; length++) assert.throws(() => unbundle(whole.slice(0, length).buffer), { code: 'HUB_PROTOCOL' }, `cut at ${length}`);
  for (const wrong of [[...whole, ...new Uint8Array(8)], new Uint8Array(bundleOf([frame(8)])), new Uint8Array(8)]) {
    assert.throws(() => unbundle(buffer(wrong)), { code: 'HUB_PROTOCOL' });
  }
});

test('what is asked in one task goes in one message, and its answers may come in one', async t => {
  const world = createWorld(t), db = await world.open();
  const [hub] = world.hubs;
  let messages = 0;
  hub.port.on('message', () => { messages += 1; });
  const calls = [1, 2, 3].map(n => db.all('SELECT ?', [n]));
  const requests = [await hub.take('query'), await hub.take('query'), await hub.take('query')];
  assert.deepEqual([messages, requests.map(({ blocks }) => blocks[0][0].integer)], [1, ['1', '2', '3']]);
  const rows = { columns: [{ name: 'n', type: null }], rows: 1, changes: 0, last_insert_rowid: '0' };
  const answers = requests.map(({ id }, at) => responseFrame({ hub: hub.instance, re: id, body: { rows } }, [[{ integer: String(at + 1) }]]));
  hub.post(bundleOf(answers.reverse()));
  assert.deepEqual(await Promise.all(calls), [[{ n: 1 }], [{ n: 2 }], [{ n: 3 }]]);
});

test('of a bundle that cannot be understood nobody believes anything', async t => {
  const world = createWorld(t), db = await world.open();
  const [hub] = world.hubs;
  const call = later(db.run('INSERT INTO t VALUES (1)'));
  const { id } = await hub.take('query');
  const good = responseFrame({ hub: hub.instance, re: id, body: { done: { changes: 0, last_insert_rowid: '0' } } });
  hub.post(bundleOf([good, frame(30)]));
  await assert.rejects(call, { code: 'HUB_PROTOCOL', outcome: 'unknown' });
});
