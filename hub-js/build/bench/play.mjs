/**
 * Plays the scenarios: round after round over the peers, backwards every other round, each run with a deadline. What a peer fails is noted with its
 * message, and the rest goes on. It knows nothing of what is measured.
 */
import { within } from '../../../tests/e2e/deadline.mjs';
import { withWorld } from '../../../tests/e2e/world.mjs';
import { short } from '../isolation/report.mjs';
import { duration } from '../tools.mjs';
import { Skipped } from './skipped.mjs';
import { describePeers, Run, SITE } from './stage.mjs';

/** A peer whose run takes longer is played once: a few of them would take most of the time. */
export const SLOW_RUN_MS = 10_000;
const MESSAGE_MAX = 400;
/** Of a progress line's figures. */
const LINE_MAX = 160;
/** What the pages' own deadlines have before the run's, because theirs say more. */
const MARGIN_MS = 2_000;

/** What has been measured: `values[figure][peer]` by round; `failures[scenario][peer]`, `skipped[scenario][peer]`: why there is nothing. */
export class Results {
  values = {};
  failures = {};
  skipped = {};
  #slow = new Set();

  add(peer, round, figures) {
    for (const [figure, value] of Object.entries(figures)) if (value !== undefined) ((this.values[figure] ??= {})[peer.id] ??= [])[round] = value;
  }

  fail(scenario, peer, message) {
    (this.failures[scenario.id] ??= {})[peer.id] = message;
    // A peer that fails once has no figures that could be trusted.
    for (const { id } of scenario.figures) delete this.values[id]?.[peer.id];
  }

  skip(scenario, peer, why) {
    (this.skipped[scenario.id] ??= {})[peer.id] = why;
  }

  setSlow(scenario, peer) {
    this.#slow.add(`${scenario.id} ${peer.id}`);
  }

  isOut(scenario, peer) {
    return this.#slow.has(`${scenario.id} ${peer.id}`) || Boolean(this.failures[scenario.id]?.[peer.id] ?? this.skipped[scenario.id]?.[peer.id]);
  }
}

export async function describe(engine, ids) {
  let described;
  await withWorld(null, async (world) => (described = await describePeers(world, ids)), { engine, ...SITE });
  return described;
}

/** Each scenario has a browser, a profile and a site of its own. */
export async function play(scenarios, peers, { engine, rounds, large }) {
  const results = new Results();
  for (const scenario of scenarios) {
    sortOut(scenario, peers, results);
    await withWorld(null, (world) => playOne(world, scenario, peers, { rounds, large }, results), { engine, preciseClock: true, ...SITE });
  }
  return results;
}

function sortOut(scenario, peers, results) {
  for (const peer of peers) {
    if (peer.message) {
      results.fail(scenario, peer, peer.message);
      continue;
    }
    const why = scenario.why(peer);
    if (why) results.skip(scenario, peer, why);
  }
}

async function playOne(world, scenario, peers, { rounds, large }, results) {
  await world.start();
  if (scenario.prepare) await playRound(world, scenario, peers, { round: 0, title: 'preparing', large, isMeasured: false, what: (run) => scenario.prepare(run) }, results);
  const count = Math.min(rounds, scenario.rounds_max ?? Infinity);
  for (let round = 0; round < count; round++) {
    const order = round % 2 === 0 ? peers : [...peers].reverse();
    await playRound(world, scenario, order, { round, title: `round ${round + 1}/${count}`, large, isMeasured: true, what: (run) => scenario.measure(run) }, results);
  }
}

async function playRound(world, scenario, peers, { round, title, large, isMeasured, what }, results) {
  const taking = peers.filter((peer) => !results.isOut(scenario, peer));
  for (const [at, peer] of taking.entries()) {
    // What was prepared is found by the same origin in every round.
    const label = scenario.prepare ? scenario.id : `${scenario.id}-${round}`;
    const deadline_ms = isMeasured ? scenario.deadline_ms : scenario.prepare_ms;
    const run = new Run(world, { peer, label, round, deadline_ms, options: { large } });
    const begun = Date.now();
    const outcome = await attempt(scenario, peer, run, { what, deadline_ms }, results);
    const took_ms = Date.now() - begun;
    if (took_ms > SLOW_RUN_MS && isMeasured) results.setSlow(scenario, peer);
    const place = `${scenario.workloads.join(',')} ${title}, ${at + 1}/${taking.length}`;
    console.log(`${place.padEnd(28)} ${peer.name.padEnd(30)} ${outcome} (${duration(took_ms)})`);
  }
}

const shortened = (text) => (text.length > LINE_MAX ? `${text.slice(0, LINE_MAX)} …` : text);

/** The outcome in words, for the progress line. */
async function attempt(scenario, peer, run, { what, deadline_ms }, results) {
  let failed = false;
  try {
    const title = `${peer.name}, workload ${scenario.workloads.join(', ')}`;
    const figures = await within(deadline_ms + MARGIN_MS, title, what(run)) ?? {};
    results.add(peer, run.round, figures);
    return shortened(Object.entries(figures).filter(([, value]) => value !== undefined).map(([id, value]) => `${id} ${short(value)}`).join('  '));
  } catch (error) {
    if (error instanceof Skipped) {
      results.skip(scenario, peer, error.message);
      return `– ${error.message}`;
    }
    failed = true;
    const message = [error.message, ...run.console].join(' | ').slice(0, MESSAGE_MAX);
    results.fail(scenario, peer, message);
    return `✗ ${message}`;
  } finally {
    await run.end({ failed });
  }
}
