// Tabs that write all the time, and the judge of what is found afterwards: every acknowledged write is there exactly once, none
// is half there, and nothing beyond what was attempted. The tests that kill something use it; pages/ledger.js is its other half.
import assert from 'node:assert/strict';

const ACKS_MS = 60_000;

/**
 * The lanes of a tab: `width` writes are under way at a time, `pause` ms lie between them, and each leaves `parts` rows in `entry`.
 * A write follows the acknowledgement's arrival outside the browser, so at most `width` can be stored without being known here.
 */
const LANES = [
  { name: 'insert', width: 6, parts: 1 },
  { name: 'batch', width: 2, parts: 3 },
  { name: 'transaction', width: 1, parts: 2 },
  { name: 'update', width: 1 },
];
/** Commits of 5 MB: one tab alone writes them, and nobody does where it counts how long others wait. */
const LARGE = { name: 'large', width: 1, pause: 500 };
const LARGE_PARTS = 80;

const SCHEMA = `
  CREATE TABLE entry (tab INTEGER NOT NULL, lane TEXT NOT NULL, n INTEGER NOT NULL, part INTEGER NOT NULL, value INTEGER, body TEXT NOT NULL);
  CREATE INDEX entry_by_write ON entry (tab, lane, n);
  CREATE TABLE counter (tab INTEGER PRIMARY KEY, value INTEGER NOT NULL);
  CREATE TABLE shared (value INTEGER NOT NULL);
  INSERT INTO shared VALUES (0);
  CREATE TABLE large (tab INTEGER NOT NULL, n INTEGER NOT NULL, part INTEGER NOT NULL, body BLOB NOT NULL);`;

/** No UNIQUE anywhere: a write that is carried out twice must be seen, not refused. */
export const createLedger = (tab) => tab.run((schema) => db.exec(schema), SCHEMA);

/** Starts the writing in the tabs, under numbers that no tab has had before. `large`: the first one writes large commits too. */
export async function startWriting(tabs, numbers, { large = true } = {}) {
  await tabs[0].run((numbers) => db.batch(numbers.map((tab) => ['INSERT INTO counter VALUES (?, 0)', [tab]])), numbers);
  const lanes = (at) => (at === 0 && large ? [...LANES, LARGE] : LANES);
  await Promise.all(tabs.map((tab, at) => tab.run((how) => ledger.start(how), { tab: numbers[at], lanes: lanes(at) })));
}

/**
 * What the tabs said: the acknowledged writes as `tab lane` → numbers, how many transactions were lost, what failed, and how long the
 * caller of each write and read waited (waits.mjs). A line may have been posted twice.
 */
export function heard(lines, numbers) {
  const acked = new Map();
  const said = { acked, lost: 0, errors: [], waits: [] };
  for (const line of new Set(lines)) {
    const [kind, tab, lane, n, began, ms] = line.split(' ');
    if (!numbers.includes(Number(tab))) continue;
    if (kind === 'error') said.errors.push(line);
    else if (kind === 'lost') said.lost++;
    else if (kind === 'ack') numbersIn(acked, `${tab} ${lane}`).push(Number(n));
    if (ms !== undefined && kind !== 'error') said.waits.push({ tab: Number(tab), lane, began: Number(began), ms: Number(ms) });
  }
  return said;
}

function numbersIn(acked, key) {
  if (!acked.has(key)) acked.set(key, []);
  return acked.get(key);
}

/** Until each lane of each tab has been acknowledged something since line `from`. What failed in a tab ends the wait, and the test. */
export async function everyLaneAcked(lines, from, numbers, when) {
  const saidSince = () => heard(lines.all.slice(from), numbers);
  const silent = ({ acked }) => numbers.flatMap((tab) => LANES.map(({ name }) => `${tab} ${name}`)).filter((lane) => !acked.has(lane));
  const isEnough = (said) => said.errors.length > 0 || silent(said).length === 0;
  const what = `an ack on every lane of tabs ${numbers.join(', ')} ${when}`;
  await lines.wait(ACKS_MS, what, () => isEnough(saidSince())).catch((cause) => {
    throw new Error(`${cause.message}; silent: ${silent(saidSince()).join(', ')}`, { cause });
  });
  assert.deepEqual(saidSince().errors, []);
}

export const acksOf = ({ acked }) => [...acked.values()].reduce((sum, numbers) => sum + numbers.length, 0);

/** Everything that the judge looks at, as the database has it. */
export function readLedger(tab, numbers) {
  return tab.run(readInPage, numbers);
}

/* Runs in the page. */
async function readInPage(numbers) {
  const mine = `tab IN (${numbers.join(', ')})`;
  const tag = "printf('%d/%s/%d/%d;', tab, lane, n, part)";
  return {
    writes: await db.all(`SELECT tab, lane, n, count(*) AS parts, count(DISTINCT part) AS different,
      sum(replace(body, ${tag}, '') <> '' OR length(body) <> length(${tag}) * CASE WHEN n % 25 = 0 THEN 2000 ELSE 1 + n % 9 END) AS wrong
      FROM entry WHERE ${mine} GROUP BY tab, lane, n ORDER BY tab, lane, n`),
    counters: await db.all(`SELECT tab, value FROM counter WHERE ${mine}`),
    shared: await db.get(`SELECT (SELECT value FROM shared) AS value, count(*) AS writes, count(DISTINCT value) AS different
      FROM entry WHERE lane = 'transaction' AND part = 0`),
    large: await db.all('SELECT tab, n, count(*) AS parts, count(DISTINCT part) AS different FROM large GROUP BY tab, n'),
    earlier: await db.get(`SELECT count(*) AS rows, coalesce(sum(n * (part + 1)), 0) AS sum FROM entry WHERE NOT ${mine}`),
    integrity: (await db.all('PRAGMA integrity_check')).map((row) => row.integrity_check).join('; '),
    check: (await db.check({ level: 'full' })).problems,
  };
}

/**
 * What is wrong with `found`, in words; nothing, if all is well. `open`: writes may have been under way when it ended; `gone`: only in these
 * tabs, which ended while they wrote.
 */
export function problemsOf(said, found, numbers, { open, gone = [] }) {
  const problems = [...said.errors];
  for (const tab of numbers) {
    for (const { name, width, parts } of LANES) {
      const acked = said.acked.get(`${tab} ${name}`) ?? [];
      const about = `tab ${tab}, ${name}`;
      const last = parts ? judgeEntries(found.writes.filter((write) => write.tab === tab && write.lane === name), acked, parts, about, problems) : counterOf(found, tab);
      judgeLast(last, acked, open || gone.includes(tab) ? width : 0, about, problems);
    }
  }
  judgeShared(found.shared, problems);
  judgeLarge(found.large, said.acked, numbers, open, problems);
  if (found.integrity !== 'ok') problems.push(`integrity_check: ${found.integrity}`);
  problems.push(...found.check.map((problem) => `check: ${problem}`));
  return problems;
}

/** The writes of one lane must be 1, 2, 3 … without a gap, each whole and once. Answers the last one's number. */
function judgeEntries(writes, acked, parts, about, problems) {
  const stored = new Set(writes.map(({ n }) => n));
  for (const n of acked.filter((n) => !stored.has(n))) problems.push(`${about}: write ${n} was acknowledged and is not there`);
  for (const [at, write] of writes.entries()) {
    if (write.n !== at + 1) return problems.push(`${about}: write ${write.n} stands where write ${at + 1} is expected`);
    if (write.parts !== parts || write.different !== parts) problems.push(`${about}: write ${write.n} left ${write.parts} rows (${write.different} different), not ${parts}`);
    if (write.wrong > 0) problems.push(`${about}: write ${write.n} holds something else than was written`);
  }
  return writes.length;
}

const counterOf = ({ counters }, tab) => counters.find((counter) => counter.tab === tab)?.value ?? 0;

/** Between what was acknowledged and what can have been attempted. */
function judgeLast(last, acked, most, about, problems) {
  const highest = Math.max(0, ...acked);
  if (last < highest) problems.push(`${about}: ${last} writes are there, ${highest} was acknowledged`);
  if (last > acked.length + most) problems.push(`${about}: ${last} writes are there, ${acked.length} were acknowledged and at most ${most} were under way`);
}

/** Each transaction of any tab counted one further, so none saw another's half. */
function judgeShared({ value, writes, different }, problems) {
  if (value !== writes || value !== different) problems.push(`the shared number is ${value} after ${writes} transactions with ${different} different values`);
}

/** The last large commit is there whole, in the place of the one before. Whichever tab wrote it had none acknowledged after it. */
function judgeLarge(large, acked, numbers, open, problems) {
  const shown = large.map(({ tab, n, parts }) => `${parts} rows of write ${n} of tab ${tab}`).join(', ') || 'nothing';
  if (large.some(({ parts, different }) => parts !== LARGE_PARTS || different !== LARGE_PARTS) || large.length > 1) problems.push(`large commits are torn: ${shown}`);
  // It may be of an earlier round: then nothing was acknowledged in this one.
  const [last] = large.filter(({ tab }) => numbers.includes(tab));
  const writers = last ? [last.tab] : numbers;
  const highest = Math.max(0, ...writers.flatMap((tab) => acked.get(`${tab} large`) ?? []));
  const n = last?.n ?? 0;
  if (n < highest || n > highest + (open ? 1 : 0)) problems.push(`large: ${shown}, ${highest} was acknowledged`);
}
