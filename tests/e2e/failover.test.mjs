// At stake: whatever happens to the hub, its tab or its process, the tabs that are left go on by themselves, in both modes and every
// engine: each acknowledged write is there once, all tabs agree, nobody waits for ever. How long they waited is reported, not judged.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from './deadline.mjs';
import { ALL_ENGINES } from './engines.mjs';
import { play } from './failover.mjs';
import { processesNaming } from './processes.mjs';
import { randomOf } from './random.mjs';
import { CHURN_SECONDS, FAILOVER_MODES, FAILOVER_ROUNDS, SEED, notItsTurn } from './rounds.mjs';
import { SCENARIOS, skipOf } from './scenarios.mjs';
import { withWorld } from './world.mjs';

const SCENARIO_MS = 120_000;
const TIMEOUT_MS = FAILOVER_ROUNDS * (SCENARIOS.length * SCENARIO_MS + CHURN_SECONDS * 1_000);
const GONE_MS = 10_000;

for (const { engine, skip } of ALL_ENGINES) {
  for (const mode of FAILOVER_MODES) {
    test(`tabs go on whatever happens to the hub in ${engine}, mode ${mode}`, { timeout: TIMEOUT_MS, skip }, async (t) => {
      t.diagnostic(`seed ${SEED}: KILL_SEED=${SEED} repeats the moments`);
      const random = randomOf(SEED);
      await withWorld(t, async (world) => {
        for (let round = 0; round < FAILOVER_ROUNDS; round++) {
          for (const scenario of SCENARIOS) await oneScenario(t, world, { engine, mode, scenario, round, random });
        }
        await world.step('no process of the closed browser is left', () => closeBrowser(world));
      }, { engine });
    });
  }
}

/** One browser plays them all, as long as none fails: what that one left behind is not the next one's. */
async function oneScenario(t, world, part) {
  const { engine, scenario, round } = part;
  const skip = skipOf(scenario, engine) || otherMode(part);
  if (skip && round > 0) return;
  const name = round > 0 ? `${scenario.name}, round ${round}` : scenario.name;
  const isWell = await world.step(name, async () => t.diagnostic(`${scenario.id}: ${await play(world, part)}`), { skip });
  if (!isWell) await world.start();
}

/** Each has its turn in one of the modes, now in this and now in that; in the others than Chromium, half as often. */
function otherMode({ engine, mode, scenario }) {
  const ways = engine === 'chromium' ? FAILOVER_MODES.length : 2 * FAILOVER_MODES.length;
  return notItsTurn((SCENARIOS.indexOf(scenario) + FAILOVER_MODES.indexOf(mode)) % ways, ways);
}

async function closeBrowser(world) {
  await world.browser.close();
  await until(GONE_MS, 'the processes to be gone', async () => world.browser.processes.length === 0);
  assert.deepEqual(processesNaming(world.folder), []);
}
