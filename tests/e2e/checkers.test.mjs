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
import { nativeIntegrity, nativeRows, nativeScript } from './native.mjs';

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

test('a wait ends at its deadline and says what was awaited', async () => {
  await assert.rejects(within(20, 'the moon', new Promise(() => {})), /the moon: nothing after 20 ms/);
  await assert.rejects(until(40, 'the sun', async () => 0), /the sun: still 0 after 40 ms/);
  assert.equal(await within(1000, 'one', Promise.resolve(1)), 1);
});
