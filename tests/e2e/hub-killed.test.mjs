// At stake: the hub's process dies alone, and the tabs that live elsewhere go on by themselves: every write is acknowledged and
// there exactly once, every read is answered, and only a transaction that was open is lost. Rounds as in kill.test.mjs.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sleep } from './deadline.mjs';
import { EVERY_ENGINE } from './engines.mjs';
import { acksOf, createLedger, everyLaneAcked, heard, problemsOf, readLedger, startWriting } from './ledger.mjs';
import { randomOf } from './random.mjs';
import { ROUNDS, ROUNDS_MS, SEED, byTurns } from './rounds.mjs';
import { withWorld } from './world.mjs';

const TABS = 4;
const DATABASE = 'hub-killed.db';
const KILL_AFTER_MS_MAX = 1_500;
const BUSY_MS_MAX = 600;

for (const { engine, skip } of byTurns(EVERY_ENGINE)) {
  test(`tabs go on by themselves when the hub's process is killed in ${engine}`, { timeout: ROUNDS_MS, skip }, async (t) => {
    t.diagnostic(`seed ${SEED}: KILL_SEED=${SEED} repeats the moments`);
    const random = randomOf(SEED);
    await withWorld(t, async (world) => {
      await world.step('what was under way ends as it should', () => endsUnderWay(world));
      for (let round = 0; round < ROUNDS; round++) {
        await oneRound(t, world, { round, killAfter: Math.round(random() * KILL_AFTER_MS_MAX), busy: Math.round(random() * BUSY_MS_MAX) });
      }
    }, { engine });
  });
}

const openLedger = (world, count) => world.tabs(count, DATABASE, { page: 'ledger.html' });

/** A tab whose process runs the hub, tabs in other processes, and a way to kill that process. */
async function openBeside(world, count) {
  const [host, ...tabs] = await openLedger(world, count + 1);
  const pid = await world.processOfHub(host);
  return { tabs, kill: () => world.browser.killProcess(pid), close: () => Promise.all([host, ...tabs].map((tab) => tab.close())) };
}

/** One of each kind, held open at the moment of the kill. */
async function endsUnderWay(world) {
  const { tabs, kill, close } = await openBeside(world, 3);
  await createLedger(tabs[0]);
  const [writer, reader, waiting] = tabs;
  for (const [tab, mode] of [[writer, 'immediate'], [reader, 'read']]) await tab.run(holdTransaction, mode);
  await waiting.run(() => {
    globalThis.queued = db.query("INSERT INTO entry VALUES (-1, 'queued', 1, 0, NULL, '') RETURNING n");
  });
  await kill();
  const lost = { code: 'HUB_TRANSACTION_LOST', outcome: 'not-applied' };
  for (const tab of [writer, reader]) assert.deepEqual(await tab.run(() => held.ended()), lost);
  assert.deepEqual(await waiting.run(async () => (await queued).rows), [{ n: 1 }], 'a write that waited is carried out by the next hub');
  const stored = await waiting.run(() => db.all('SELECT tab, lane FROM entry'));
  assert.deepEqual(stored, [{ tab: -1, lane: 'queued' }], 'once, and nothing of the transaction');
  await close();
}

/* These run in the page. */
function spinSoon(ms) {
  setTimeout(() => {
    for (const end = performance.now() + ms; performance.now() < end; );
  });
}

async function holdTransaction(mode) {
  let release;
  const released = new Promise((resolve) => (release = resolve));
  await new Promise((begun, failed) => {
    const work = async (tx) => {
      if (mode === 'immediate') await tx.run("INSERT INTO entry VALUES (-1, 'held', 1, 0, NULL, '')");
      else await tx.all('SELECT count(*) FROM entry');
      begun();
      await released;
      return tx.all('SELECT count(*) FROM entry');
    };
    const done = db.transaction(work, { mode, timeout: 60_000 });
    done.catch(failed);
    globalThis.held = {
      ended: () => {
        release();
        return done.then((rows) => ({ rows }), ({ code, outcome }) => ({ code, outcome }));
      },
    };
  });
}

/** `busy`: so long one tab does something else when the hub dies, and hears of it late. In Firefox that holds up the others too. */
async function oneRound(t, world, { round, killAfter, busy }) {
  const numbers = Array.from({ length: TABS }, (_, at) => round * TABS + at);
  const { lines } = world.site;
  const { tabs, kill, close } = await openBeside(world, TABS);
  const before = await tabs[0].run(() => db.status);
  const from = lines.all.length;
  await startWriting(tabs, numbers);
  await everyLaneAcked(lines, from, numbers, 'before the kill');
  await sleep(killAfter);
  await tabs.at(-1).run(spinSoon, busy);
  await kill();
  await everyLaneAcked(lines, lines.all.length, numbers, 'after the kill');
  await Promise.all(tabs.map((tab) => tab.run(() => ledger.stop())));

  const said = heard(lines.all.slice(from), numbers);
  const shown = `round ${round}: ${acksOf(said)} acks, ${said.lost} open transactions lost, killed after ${killAfter} ms, a tab busy for ${busy} ms`;
  assert.deepEqual(problemsOf(said, await readLedger(tabs[1], numbers), numbers, { open: false }), [], shown);
  const after = await tabs[0].run(() => db.status);
  assert.deepEqual({ state: after.state, epoch: after.epoch }, { state: 'open', epoch: before.epoch + 1 }, shown);
  t.diagnostic(shown);
  await close();
}
