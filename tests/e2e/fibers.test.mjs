// At stake: a statement that is suspended in its middle, a hundred thousand times and among others, answers what it would have answered
// alone. So does one that is run again and again for its missing blocks, where the browser cannot suspend.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ENGINE, EVERY_ENGINE, WEBKIT } from './engines.mjs';
import { nativeIntegrity, nativeRows } from './native.mjs';
import { byTurns } from './rounds.mjs';
import { answers, build, open, QUERIES, stress } from './stress.mjs';
import { withWorld } from './world.mjs';

const SUSPENSIONS_LEAST = 100_000;
/** A statement gives way each time so many virtual-machine steps have passed. */
const SUSPENDING = { pace: '0,100' };
const STRESS_MS = 120_000;
/** The control is wrong at once or never: it need not be given long. */
const CAUGHT_MS = 20_000;
const SEED = Number(process.env.TABHUB_SEED ?? 7);

const { skip: unusual } = EVERY_ENGINE.find(({ engine }) => engine === ENGINE) ?? WEBKIT;
/** WebKit has no JSPI: what it does without being told so is in the list below. */
const suspending = byTurns(EVERY_ENGINE.filter(({ engine }) => engine !== 'webkit'));
const restarting = byTurns([{ engine: ENGINE, skip: unusual, parameters: { jspi: 'off' } }, ...(ENGINE === 'webkit' ? [] : [{ ...WEBKIT, parameters: {} }])]);

/** The digest of what each query answers, alone and never suspended: the same for every engine. */
let hashes;

test('alone and never suspended, each query answers what the native SQLite does', { timeout: 120_000, skip: unusual }, async (t) => {
  await withWorld(t, async (world) => {
    const tab = await open(world, { jspi: 'off' });
    await build(tab);
    const results = await answers(tab);
    await tab.run(async () => harness.upload('built', await db.export()));
    const file = join(world.folder, 'built.db');
    writeFileSync(file, world.site.uploads.get('built'));
    assert.equal(nativeIntegrity(file), 'ok');
    Object.entries(QUERIES).forEach(([name, sql], at) => {
      const rows = nativeRows(file, sql).map((row) => Object.values(row));
      assert.ok(rows.length > 0, `${name} finds something`);
      assert.deepEqual(results[at].map(comparable), rows.map(comparable), name);
    });
    hashes = results.map((rows) => createHash('sha256').update(JSON.stringify(rows)).digest('hex'));
  });
});

/** The native program prints 15 digits of a REAL. */
const comparable = (row) => row.map((value) => (typeof value === 'number' && !Number.isInteger(value) ? value.toPrecision(14) : value));

for (const { engine, skip } of suspending) {
  test(`suspended 100,000 times in ${engine}, no statement of any tab goes wrong`, { timeout: 240_000, skip }, async (t) => {
    const counted = await isRight(t, { engine, parameters: SUSPENDING, rounds: 2, lanes: 2, steps: 36 });
    assert.ok(counted.waits > 1_000, `${counted.waits} statements waited for a block: the cache is not small enough`);
    assert.ok(counted.waits + counted.slices >= SUSPENSIONS_LEAST, `${counted.waits} + ${counted.slices} suspensions`);
    assert.equal(counted.restarts, 0, 'nothing need be run again');
  });
}

for (const { engine, skip, parameters } of restarting) {
  test(`run again for their missing blocks in ${engine} without JSPI, no statement of any tab goes wrong`, { timeout: 240_000, skip }, async (t) => {
    const counted = await isRight(t, { engine, parameters, rounds: 1, lanes: 1, steps: 18 });
    assert.ok(counted.restarts > 100, `${counted.restarts} restarts`);
  });
}

/** The whole stress in a browser of its own; the growth of the hub's counters meanwhile. */
async function isRight(t, { engine, parameters, ...size }) {
  let counted;
  await withWorld(t, async (world) => {
    const [writer, checker, ...readers] = await openFive(world, parameters);
    await build(writer);
    const before = await metrics(writer);
    const start = performance.now();
    const { answered, written, checked, wrong } = await stress({ writer, checker, readers }, { hashes, ...size, seed: SEED, ms: STRESS_MS });
    const seconds = (performance.now() - start) / 1_000;
    counted = growth(before, await metrics(writer));
    t.diagnostic(`seed ${SEED}, ${seconds.toFixed(1)} s: ${answered} answers, ${JSON.stringify(written)}, ${JSON.stringify(checked)}`);
    t.diagnostic(`${JSON.stringify(counted)}, ${wrong.length} differences`);
    assert.deepEqual(wrong, []);
    assert.equal(answered, readers.length * size.lanes * size.rounds * Object.keys(QUERIES).length);
    assert.ok(checked.checks > 0 && checked.stopped + checked.ended > 0, JSON.stringify(checked));
    for (const kind of ['transfer', 'transaction', 'notes added', 'notes dropped', 'notes changed', 'index', 'table', 'vacuum']) {
      assert.ok(written.done[kind] > 0, `the writer did: ${JSON.stringify(written)}`);
    }
    await isSound(await open(world, parameters, 64 << 20));
  }, { engine });
  return counted;
}

async function openFive(world, parameters) {
  const tabs = [];
  while (tabs.length < 5) tabs.push(await open(world, parameters));
  return tabs;
}

const metrics = (tab) => tab.run(() => db.metrics());

function growth(before, after) {
  const names = ['waits', 'slices', 'restarts', 'misses', 'cache_evictions', 'commits'];
  return Object.fromEntries(names.map((name) => [name, after[name] - before[name]]));
}

/** The tab has asked for a large cache, as the checks would else read everything many times. */
async function isSound(tab) {
  assert.deepEqual(await tab.run(() => db.check({ level: 'full' })), { ok: true, problems: [] });
  for (const index of ['ft', 'note_ft']) await tab.run((index) => db.run(`INSERT INTO ${index} (${index}) VALUES ('integrity-check')`), index);
  const results = await answers(tab);
  assert.deepEqual(results.map((rows) => createHash('sha256').update(JSON.stringify(rows)).digest('hex')), hashes, 'and afterwards all answers are as before');
}

/** The negative control: what tells right from wrong above must do so where the stack is not switched. */
const { engine: control, skip } = suspending[0] ?? { skip: 'there is no JSPI' };
test('suspended without their stacks, statements go wrong, and the stress sees it', { timeout: 120_000, skip }, async (t) => {
  await withWorld(t, async (world) => {
    await build(await open(world, SUSPENDING));
    await world.restart();
    const seen = await whatGoesWrong(world).catch((error) => [`${error.code} ${error.message}`]);
    t.diagnostic(`seen: ${seen.join(' | ').slice(0, 500)}`);
    assert.notDeepEqual(seen, [], 'the stress would not notice a statement that goes wrong');
  }, { engine: control });
});

async function whatGoesWrong(world) {
  const [writer, checker, ...readers] = await openFive(world, { ...SUSPENDING, jspi: 'bare' });
  const { wrong } = await stress({ writer, checker, readers }, { hashes, rounds: 1, lanes: 2, steps: 18, seed: SEED, ms: CAUGHT_MS });
  return wrong;
}
