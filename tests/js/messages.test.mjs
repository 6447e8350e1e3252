/**
 * At stake: latency. Each call is one message there and one back, and what it asks takes few bytes; more of either is noticed here, on any
 * machine. The hub's side of it, and what the store pays, is tests/counters.rs.
 */
import assert from 'node:assert/strict';
import { Model } from './model-hub.mjs';
import { createWorld, settle, test, within } from './world.mjs';

const CHUNKS = 10;
const READ = 'SELECT body FROM item WHERE id = ?';
const WRITE = 'INSERT INTO item (body) VALUES (?)';
const BODY = 'x'.repeat(100);

/** `asked`, `told`: messages to the hub and from it; `bytes` of those to the hub. */
const CALLS = [
  { name: 'get', call: db => db.get(READ, [7]), asked: 1, told: 1, bytes: 136 },
  { name: 'all', call: db => db.all(READ, [7]), asked: 1, told: 1, bytes: 136 },
  { name: 'run', call: db => db.run(WRITE, [BODY]), asked: 1, told: 1, bytes: 256 },
  { name: 'prepared, three times', call: prepared, asked: 3, told: 3, bytes: 768 },
  { name: 'exec of three statements', call: db => db.exec('DELETE FROM a; DELETE FROM b; DELETE FROM c'), asked: 1, told: 1, bytes: 104 },
  { name: 'batch of three statements', call: db => db.batch([[WRITE, [BODY]], [WRITE, [BODY]], [WRITE, [BODY]]]), asked: 1, told: 1, bytes: 488 },
  { name: 'transaction of three statements', call: db => db.transaction(threeWrites), asked: 5, told: 5, bytes: 848 },
  { name: `iterate of ${CHUNKS} chunks`, call: iterate, asked: CHUNKS, told: CHUNKS, bytes: 464 },
  { name: '100 reads at once', call: db => Promise.all(Array.from({ length: 100 }, () => db.get(READ, [7]))), asked: 1, told: 100, bytes: 14_008 },
];

test('every call costs the messages and bytes that its gate allows', async t => {
  const measured = [];
  for (const gate of CALLS) measured.push({ gate, found: await measure(t, gate.call) });
  const wrong = measured.flatMap(({ gate, found }) => faults(gate, found));
  assert.equal(wrong.length, 0, `\n${table(measured)}\n${wrong.join('\n')}`);
});

test('control: one message more is noticed in every figure', async t => {
  const { call, ...gate } = CALLS[0];
  const found = await measure(t, async db => { await call(db); await call(db); });
  assert.deepEqual(faults(gate, found), [
    'get: asked: 2 where 1 is allowed: find what costs more',
    'get: told: 2 where 1 is allowed: find what costs more',
    'get: bytes: 272 where 136 is allowed: find what costs more',
  ]);
});

test('control: what has become cheaper is to be held by a narrower gate', () => {
  const [gate] = CALLS;
  assert.deepEqual(faults(gate, { asked: 1, told: 1, bytes: gate.bytes - 8 }), ['get: bytes: 128 where 136 is allowed: it has become cheaper, so narrow the gate']);
});

/** What a call sends and gets. */
async function measure(t, call) {
  const counted = { asked: 0, told: 0, bytes: 0 };
  const world = createWorld(t, { ...answering(new Model()), ...streaming() });
  count(world.env, counted);
  const db = await world.open();
  await settle();
  const before = { ...counted };
  await within(Promise.resolve(call(db)), 'the call');
  // What it may still say once it is over.
  await settle();
  return Object.fromEntries(Object.entries(counted).map(([figure, value]) => [figure, value - before[figure]]));
}

/** Counts whatever passes over the connections of an environment. */
function count(env, counted) {
  const { connect } = env;
  env.connect = (url, name, receiver) => {
    const connection = connect(url, name, { ...receiver, message: data => { counted.told += 1; receiver.message(data); } });
    const send = frame => { counted.asked += 1; counted.bytes += frame.byteLength; connection.send(frame); };
    return { ...connection, send, ping: () => { counted.asked += 1; connection.ping(); } };
  };
}

/** The model hub, without waiting to be told. */
function answering(model) {
  const answer = take => (request, hub) => { take(request, hub); model.step(hub); model.say(hub); };
  const { hello, cancel, ...work } = model.script;
  return { hello, cancel, ...Object.fromEntries(Object.entries(work).map(([kind, take]) => [kind, answer(take)])) };
}

/** Chunks of one row, two ahead, then one for each that was consumed. */
function streaming() {
  const streams = new Map();
  const send = (id, hub) => {
    const sent = streams.get(id);
    if (sent === CHUNKS) return;
    streams.set(id, sent + 1);
    hub.reply(id, { chunk: { ...(sent === 0 && { columns: [{ name: 'n', type: 'INTEGER' }] }), rows: 1, end: sent + 1 === CHUNKS } }, [[{ integer: String(sent) }]]);
  };
  return {
    iterate({ id }, hub) { streams.set(id, 0); send(id, hub); send(id, hub); },
    pull({ op }, hub) { send(op.pull.target, hub); },
  };
}

async function prepared(db) {
  const statement = db.prepare(WRITE);
  for (let n = 0; n < 3; n++) await statement.run([BODY]);
  statement.finalize();
}

async function threeWrites(tx) {
  for (let n = 0; n < 3; n++) await tx.run(WRITE, [BODY]);
}

async function iterate(db) {
  const rows = [];
  for await (const { n } of db.iterate('SELECT n FROM t')) rows.push(n);
  assert.deepEqual(rows, Array.from({ length: CHUNKS }, (_, n) => n));
}

function faults(gate, found) {
  return Object.entries(found).filter(([figure, value]) => value !== gate[figure]).map(([figure, value]) => {
    const advice = value > gate[figure] ? 'find what costs more' : 'it has become cheaper, so narrow the gate';
    return `${gate.name}: ${figure}: ${value} where ${gate[figure]} is allowed: ${advice}`;
  });
}

/** Found and allowed, call by call. */
function table(measured) {
  const head = ['found / allowed', 'asked', 'told', 'bytes asked'];
  const rows = measured.map(({ gate, found }) => [gate.name, ...Object.entries(found).map(([figure, value]) => `${value} / ${gate[figure]}`)]);
  return [head, ...rows].map(([name, ...cells]) => name.padEnd(34) + cells.map(cell => cell.padStart(16)).join('')).join('\n');
}
