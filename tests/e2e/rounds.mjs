// How often the tests that kill something do it, and at which moments: KILL_ROUNDS and KILL_SEED, set by `npm run kill`.
// Without them a few rounds at moments that nobody has tried before; the seed is printed by the tests.
import { randomInt } from 'node:crypto';

const ROUND_MS = 90_000;

export const ROUNDS = wholeNumber('KILL_ROUNDS', 3);
export const SEED = wholeNumber('KILL_SEED', randomInt(2 ** 31));

/** The longest a test of so many rounds may take. */
export const ROUNDS_MS = 60_000 + ROUNDS * ROUND_MS;

function wholeNumber(name, otherwise) {
  const text = process.env[name];
  if (text === undefined) return otherwise;
  if (!/^\d{1,10}$/.test(text)) throw new Error(`${name}=${text}: it must be a whole number`);
  return Number(text);
}
