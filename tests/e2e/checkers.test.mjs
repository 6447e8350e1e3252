// At stake: the judges themselves. A comparison that cannot see a difference, or a deadline that never ends a wait, would
// let every other test pass. Needs no browser.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { difference } from './chinook.mjs';
import { contentOf } from './content.mjs';
import { until, within } from './deadline.mjs';
import { heard, problemsOf } from './ledger.mjs';
import { nativeIntegrity, nativeRows, nativeScript } from './native.mjs';
import { around, longestOfEach, quantile } from './waits.mjs';

const SCRIPT = "CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT); INSERT INTO t VALUES (1, 'x'), (2, NULL); CREATE INDEX i ON t (b);";

async function inFolder(body) {
  const folder = mkdtempSync(join(tmpdir(), 'tabhub-checkers-'));
  try {
    return await body(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('difference() sees each kind of difference, and only those', () => {
  const rows = [{ a: 1, b: 'x', c: 0.1 }];
  assert.equal(difference(rows, rows), undefined);
  assert.equal(difference([{ a: 1, b: 'x', c: 0.1 + 1e-16 }], rows), undefined);
  const wrong = [
    [],
    [{ a: 2, b: 'x', c: 0.1 }],
    [{ a: 1, b: 'y', c: 0.1 }],
    [{ a: 1, b: 'x', c: 0.1000001 }],
    [{ a: 1, b: null, c: 0.1 }],
    [{ a: '1', b: 'x', c: 0.1 }],
    [{ a: 1n, b: 'x', c: 0.1 }],
    [{ a: 1, b: 'x' }],
  ];
  for (const other of wrong) assert.ok(difference(other, rows), `${other.length} rows: ${Object.values(other[0] ?? {})}`);
});

test('contentOf() sees a changed value, a lost row and a changed schema', async () => {
  await inFolder(async (folder) => {
    const content = async (name, extra) => {
      const file = join(folder, name);
      nativeScript(file, SCRIPT + extra);
      return contentOf((sql) => nativeRows(file, sql));
    };
    const whole = await content('whole', '');
    assert.deepEqual(await content('rewritten', 'VACUUM;'), whole);
    for (const [n, change] of ["UPDATE t SET b = '' WHERE a = 2;", 'DELETE FROM t WHERE a = 2;', 'DROP INDEX i;', "UPDATE t SET b = 1 WHERE a = 1;"].entries()) {
      assert.notDeepEqual(await content(`changed${n}`, change), whole, change);
    }
  });
});

test('nativeIntegrity() sees a damaged page', async () => {
  await inFolder((folder) => {
    const file = join(folder, 'damaged');
    nativeScript(file, SCRIPT);
    assert.equal(nativeIntegrity(file), 'ok');
    const bytes = readFileSync(file);
    bytes.fill(0x55, 4096 + 8, 4096 + 64);
    writeFileSync(file, bytes);
    assert.notEqual(nativeIntegrity(file), 'ok');
  });
});

/** What one tab said and left: two acks on each lane, one more insert under way. */
const ledgerLines = ['insert', 'batch', 'transaction', 'update'].flatMap((lane) => [`ack 7 ${lane} 1`, `ack 7 ${lane} 2`]).concat('ack 7 large 1', 'ack 8 insert 9');

const ledgerWrite = (lane, n, parts) => ({ tab: 7, lane, n, parts, different: parts, wrong: 0 });

const ledgerFound = () => ({
  writes: [1, 2].flatMap((n) => [ledgerWrite('insert', n, 1), ledgerWrite('batch', n, 3), ledgerWrite('transaction', n, 2)]),
  counters: [{ tab: 7, value: 2 }],
  shared: { value: 2, writes: 2, different: 2 },
  large: [{ tab: 7, n: 1, parts: 80, different: 80 }],
  integrity: 'ok',
  check: [],
});

const WRONG_LEDGERS = {
  'an acknowledged write is lost': (found) => found.writes.splice(3, 1),
  'all writes of a lane are lost': (found) => (found.writes = found.writes.filter(({ lane }) => lane !== 'batch')),
  'a write is there twice': (found) => (found.writes[0].parts = 2),
  'a batch is half there': (found) => Object.assign(found.writes[1], { parts: 2, different: 2 }),
  'a part stands in the place of another': (found) => (found.writes[1].different = 2),
  'a gap before a write that was under way': (found) => found.writes.push(ledgerWrite('insert', 4, 1)),
  'more is there than can have been attempted': (found) => found.writes.push(...[3, 4, 5].map((n) => ledgerWrite('batch', n, 3))),
  'a row holds something else': (found) => (found.writes[2].wrong = 1),
  'an update is lost': (found) => (found.counters[0].value = 1),
  'an update was carried out twice too often': (found) => (found.counters[0].value = 4),
  'a counter is gone': (found) => (found.counters = []),
  'two transactions counted from the same number': (found) => (found.shared.value = 1),
  'a large commit is torn': (found) => (found.large[0].parts = 79),
  'a large commit is gone': (found) => (found.large = []),
  'a large commit is older than one that was acknowledged': (found) => (found.large = [{ ...found.large[0], n: 0 }]),
  'two large commits are there': (found) => found.large.push({ ...found.large[0], n: 2 }),
  'the check finds damage': (found) => found.check.push('log record 7: its checksum does not agree'),
  'SQLite finds damage': (found) => (found.integrity = 'row 1 missing from index entry_by_write'),
};

test('the ledger is judged: each way to lose, tear or repeat a write is seen', () => {
  const said = heard(ledgerLines, [7]);
  assert.deepEqual(problemsOf(said, ledgerFound(), [7], { open: false }), []);
  const underWay = ledgerFound();
  underWay.writes.push(ledgerWrite('insert', 3, 1));
  underWay.counters[0].value = 3;
  assert.deepEqual(problemsOf(said, underWay, [7], { open: true }), []);
  assert.equal(problemsOf(said, underWay, [7], { open: false }).length, 2, 'nothing was under way');
  for (const [name, spoil] of Object.entries(WRONG_LEDGERS)) {
    const found = ledgerFound();
    spoil(found);
    assert.ok(problemsOf(said, found, [7], { open: true }).length > 0, name);
  }
  assert.deepEqual(problemsOf(heard([...ledgerLines, 'error 7 read: 1 inserts'], [7]), ledgerFound(), [7], { open: true }), ['error 7 read: 1 inserts']);
});

test('a tab that ended while it wrote may have left more than it heard of, and no other tab', () => {
  const said = heard([...ledgerLines, ...ledgerLines], [7]);
  assert.deepEqual(said.acked.get('7 insert'), [1, 2], 'a line that came twice counts once');
  const underWay = ledgerFound();
  underWay.writes.push(ledgerWrite('batch', 3, 3));
  assert.deepEqual(problemsOf(said, underWay, [7], { open: false, gone: [7] }), []);
  assert.equal(problemsOf(said, underWay, [7], { open: false, gone: [8] }).length, 1);
});

test('waits: those around a moment are found, with the longest of each tab', () => {
  const { waits } = heard(['ack 1 insert 1 1000.0 50.0', 'read 1 read - 1040.0 900.0', 'ack 2 batch 1 2000.5 7.5', 'ack 3 update 1 100.0 5.0', 'error 2 read: 1 2 3'], [1, 2, 3]);
  assert.deepEqual(waits.map(({ tab, lane, ms }) => [tab, lane, ms]), [[1, 'insert', 50], [1, 'read', 900], [2, 'batch', 7.5], [3, 'update', 5]]);
  assert.deepEqual(longestOfEach(around(waits, 1045, 1990)), [900], 'began before it, or ended after it');
  assert.deepEqual(longestOfEach(around(waits, 1045, 2000.5)), [900, 7.5]);
  assert.deepEqual(around(waits, 106, 900), []);
  assert.deepEqual([quantile([3, 1, 2], 0.5), quantile([3, 1, 2], 0.99), quantile([], 0.99)], [2, 3, undefined]);
});

test('a wait ends at its deadline and says what was awaited', async () => {
  await assert.rejects(within(20, 'the moon', new Promise(() => {})), /the moon: nothing after 20 ms/);
  await assert.rejects(until(40, 'the sun', async () => 0), /the sun: still 0 after 40 ms/);
  assert.equal(await within(1000, 'one', Promise.resolve(1)), 1);
});
