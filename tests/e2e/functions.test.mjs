// At stake: SQL functions whose work JavaScript does (src/web/libc.rs) answer as in any other SQLite, also where C and JavaScript
// differ. The native SQLite judges; in the last digits mathematical libraries may differ.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EVERY_ENGINE } from './engines.mjs';
import { byTurns } from './rounds.mjs';
import { nativeRows } from './native.mjs';
import { withWorld } from './world.mjs';

/** With a summer time, and hours that are not those of UTC. The browser and the native SQLite inherit it. */
process.env.TZ = 'America/St_Johns';

/** As SQL; the last two are the infinities, and the two before them what a double can hold. */
const NUMBERS = ['0', '-0.0', '1', '-1', '2', '-2', '0.5', '-0.5', '3.7', '-3.7', '10', '1000', '1e-9', '12345678.9', '1e22', '5e-324', '1.7976931348623157e308', '9e999', '-9e999'];
const OF_ONE = ['acos', 'acosh', 'asin', 'asinh', 'atan', 'atanh', 'ceil', 'cos', 'cosh', 'degrees', 'exp', 'floor', 'ln', 'log10', 'log2', 'radians', 'sin', 'sinh', 'sqrt', 'tan', 'tanh', 'trunc'];
const OF_TWO = ['atan2', 'log', 'mod', 'pow'];
const RELATIVE_ERROR_MAX = 1e-13;

const MATHEMATICS = [
  ...OF_ONE.flatMap((name) => NUMBERS.map((x) => `${name}(${x})`)),
  ...OF_TWO.flatMap((name) => NUMBERS.flatMap((x) => NUMBERS.map((y) => `${name}(${x}, ${y})`))),
];
/** Winter, summer, the hour that summer time skips and the one that it repeats, a leap day, and years whose rules SQLite takes from others. */
const TIMES = ['2024-01-15 00:30:00', '2024-07-15 00:30:00.250', '2024-03-10 05:29:59', '2024-03-10 05:30:00', '2024-11-03 04:00:00', '2024-11-03 05:00:00', '2024-02-29 12:00:00', '1850-06-01 00:00:00', '2300-12-31 23:59:59'];
const LOCAL_TIMES = TIMES.flatMap((time) => [`strftime('%Y-%m-%d %H:%M:%f', '${time}', 'localtime')`, `strftime('%Y-%m-%d %H:%M:%f', '${time}', 'utc')`]);

for (const { engine, skip } of byTurns(EVERY_ENGINE)) {
  test(`functions that JavaScript helps with answer as in the native SQLite, in ${engine}`, { timeout: 120_000, skip }, async (t) => {
    await withWorld(t, async (world) => {
      const tab = await world.tab('functions.db');
      await world.step('mathematics', () => compare(tab, MATHEMATICS, isNear));
      await world.step('the local time', () => compare(tab, LOCAL_TIMES, Object.is));
    }, { engine });
  });
}

/** Texts as they are; of numbers 17 digits, which JSON cannot spoil. */
const select = (expressions) => expressions.map((sql) => `SELECT iif(typeof(x) = 'real', printf('%!.17g', x), x) AS answer FROM (SELECT ${sql} AS x)`).join(' UNION ALL ');

/** SQLite takes 500 parts of a UNION. */
const PART = 200;

async function compare(tab, expressions, isRight) {
  for (let at = 0; at < expressions.length; at += PART) {
    const part = expressions.slice(at, at + PART);
    const sql = select(part);
    const ours = await tab.run((sql) => db.all(sql), sql);
    const theirs = nativeRows(':memory:', sql);
    const wrong = part.map((expression, i) => ({ expression, ours: ours[i].answer, theirs: theirs[i].answer })).filter(({ ours, theirs }) => !isRight(ours, theirs));
    assert.deepEqual(wrong, []);
  }
}

function isNear(ours, theirs) {
  if (ours === theirs) return true;
  const [a, b] = [Number(ours), Number(theirs)];
  return ours !== null && theirs !== null && Math.abs(a - b) <= RELATIVE_ERROR_MAX * Math.abs(b);
}
