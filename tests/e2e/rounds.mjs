// How often the tests that kill something do it, and at which moments: KILL_ROUNDS and KILL_SEED, set by `npm run kill`, and for the
// failovers FAILOVER_ROUNDS and the others below, set by `npm run failover`. Without them a few rounds at moments that nobody has tried
// before; the seed is printed by the tests.
import { randomInt } from 'node:crypto';

const ROUND_MS = 90_000;

export const ROUNDS = wholeNumber('KILL_ROUNDS', 3);
export const SEED = wholeNumber('KILL_SEED', randomInt(2 ** 31));

/** How often each failover is played, in which of the modes, and which of them: all but those that take long, unless they are named. */
export const FAILOVER_ROUNDS = wholeNumber('FAILOVER_ROUNDS', 1);
export const FAILOVER_MODES = names('FAILOVER_MODES') ?? ['shared', 'leader'];
export const FAILOVER_NAMES = names('FAILOVER_NAMES');
/** For how long tabs open and close at random. */
export const CHURN_SECONDS = wholeNumber('CHURN_SECONDS', 6);

/** Whether all is played that otherwise takes turns: where more than a few rounds were asked for, or one engine, or just that. */
const PLAYS_ALL = ['KILL_ROUNDS', 'FAILOVER_ROUNDS', 'FAILOVER_NAMES', 'TABHUB_BROWSER', 'TABHUB_ALL'].some((name) => process.env[name] !== undefined);

/** Whether it is the turn of `way`, one of `ways` (counted from 0), to be played: the reason to skip it, or false. */
export function notItsTurn(way, ways) {
  if (PLAYS_ALL || SEED % ways === way) return false;
  return `another has its turn this time (seed ${SEED}); TABHUB_ALL=1 plays all`;
}

/** The engines of a test that is as long in each of them: one of those that are there has its turn. */
export function byTurns(engines) {
  const present = engines.filter(({ skip }) => !skip);
  return engines.map((one) => ({ ...one, skip: one.skip || notItsTurn(present.indexOf(one), present.length) }));
}

/** The longest a test of so many rounds may take. */
export const ROUNDS_MS = 60_000 + ROUNDS * ROUND_MS;

function wholeNumber(name, otherwise) {
  const text = process.env[name];
  if (text === undefined) return otherwise;
  if (!/^\d{1,10}$/.test(text)) throw new Error(`${name}=${text}: it must be a whole number`);
  return Number(text);
}

function names(variable) {
  return process.env[variable]?.split(',');
}
