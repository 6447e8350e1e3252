// At stake: what was acknowledged survives the death of the whole browser at any moment, exactly once; what was not is there
// whole or not at all. KILL_ROUNDS and KILL_SEED set how often and when; `npm run kill` sets them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sleep } from './deadline.mjs';
import { EVERY_ENGINE } from './engines.mjs';
import { acksOf, createLedger, everyLaneAcked, heard, problemsOf, readLedger, startWriting } from './ledger.mjs';
import { randomOf } from './random.mjs';
import { ROUNDS, ROUNDS_MS, SEED, byTurns } from './rounds.mjs';
import { withWorld } from './world.mjs';

const TABS = 4;
const DATABASE = 'kill.db';
const KILL_AFTER_MS_MAX = 2_500;

for (const { engine, skip } of byTurns(EVERY_ENGINE)) {
  test(`every ack survives SIGKILL of ${engine} while four tabs write`, { timeout: ROUNDS_MS, skip }, async (t) => {
    t.diagnostic(`seed ${SEED}: KILL_SEED=${SEED} repeats the moments`);
    const random = randomOf(SEED);
    await withWorld(t, async (world) => {
      let before = { rows: 0, sum: 0 };
      for (let round = 0; round < ROUNDS; round++) {
        before = await oneRound(t, world, { round, before, killAfter: Math.round(random() * KILL_AFTER_MS_MAX) });
      }
    }, { engine });
  });
}

/** Write, kill, restart, judge. Answers the sum of everything stored, which the next round must find again. */
async function oneRound(t, world, { round, before, killAfter }) {
  const numbers = Array.from({ length: TABS }, (_, at) => round * TABS + at);
  const tabs = await openLedger(world, TABS);
  if (round === 0) await createLedger(tabs[0]);
  const { lines } = world.site;
  const from = lines.all.length;
  await startWriting(tabs, numbers);
  await everyLaneAcked(lines, from, numbers, 'before the kill');
  await sleep(killAfter);
  await world.browser.kill9();
  const said = heard(lines.all.slice(from), numbers);

  await world.start();
  const [tab] = await openLedger(world, 1);
  const found = await readLedger(tab, numbers);
  const shown = `round ${round}: ${acksOf(said)} acks, killed after ${killAfter} ms`;
  assert.deepEqual(problemsOf(said, found, numbers, { open: true }), [], shown);
  assert.deepEqual(found.earlier, before, `${shown}: what earlier rounds left`);
  t.diagnostic(shown);
  return tab.run(() => db.get('SELECT count(*) AS rows, coalesce(sum(n * (part + 1)), 0) AS sum FROM entry'));
}

const openLedger = (world, count) => world.tabs(count, DATABASE, { page: 'ledger.html' });
