// At stake: two hubs on one database, which two deployed versions or two worker URLs make happen. The newer fences the older, whose
// tabs are told HUB_FENCED; neither corrupts the database nor loses an ack, and what was said not to be applied is not there.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from './deadline.mjs';
import { EVERY_ENGINE } from './engines.mjs';
import { withWorld } from './world.mjs';

const TAKEOVERS = 6;
const WRITES_BEFORE = 40;
const WAIT_MS = 30_000;
const hubUrl = (number) => `/dist/hub.js?hub=${number}`;

for (const { engine, skip } of EVERY_ENGINE) {
  test(`two hubs take one database from each other in ${engine}`, { timeout: 240_000, skip }, async (t) => {
    await withWorld(t, async (world) => {
      const tabs = [await world.tab(), await world.tab()];
      await open(tabs[0], 0);
      await tabs[0].run(() => db.exec('CREATE TABLE entry (hub INTEGER NOT NULL, turn INTEGER NOT NULL, n INTEGER NOT NULL)'));
      for (let turn = 0; turn < TAKEOVERS; turn++) await takeOver(world, tabs, turn);
      const [tab, other] = await world.tabs(2, 'two-hubs.db');
      judge(t, world.site.lines.all, await tab.run(() => db.all('SELECT hub, turn, n FROM entry')));
      assert.deepEqual(await other.run(() => db.all('PRAGMA integrity_check')), [{ integrity_check: 'ok' }]);
      assert.deepEqual(await other.run(() => db.check({ level: 'full' })), { ok: true, problems: [] });
    }, { engine });
  });
}

/**
 * A hub that was fenced tells so for a second to those who come; then a fresh one takes its place. In the moment between, Firefox
 * hands who comes to the worker that is ending, and nobody ever answers: `open` is to end then, and to work the next time.
 */
const open = (tab, number) => until(WAIT_MS, `hub ${number} to open`, () => tab.run(openInPage, { url: hubUrl(number) }), 1_200);

/** The tab of the hub in charge writes without a pause; then the other tab opens the database through the other hub. */
async function takeOver(world, tabs, turn) {
  const [older, newer] = [turn % 2, 1 - (turn % 2)];
  const { lines } = world.site;
  await tabs[older].run(writeUntilFenced, { hub: older, turn });
  const acks = (all) => all.filter((line) => line.startsWith(`ack ${older} ${turn} `)).length;
  await lines.wait(WAIT_MS, `${WRITES_BEFORE} acks of hub ${older}`, (all) => acks(all) >= WRITES_BEFORE);
  await open(tabs[newer], newer);
  await tabs[newer].run(writeOnce, { hub: newer, turn });
  const ended = await tabs[older].run(() => writing);
  assert.deepEqual(ended.codes, ['HUB_FENCED'], 'every write after the takeover ended with the same code');
  assert.equal(await tabs[older].run(() => db.status.state), 'failed');
  const later = tabs[older].run(() => db.all('SELECT 1'));
  await assert.rejects(later, { name: 'HubError', code: 'HUB_FENCED', outcome: 'not-applied' });
}

/* These run in the page. */
async function openInPage({ url }) {
  const opened = await tabhub.open('two-hubs.db', { workerUrl: url, wasmUrl: '/dist/hub.wasm' }).catch((error) => error);
  if (['HUB_FENCED', 'HUB_LOAD_TIMEOUT'].includes(opened.code)) return false;
  if (opened instanceof Error) throw opened;
  globalThis.db = opened;
  return true;
}

async function writeOnce({ hub, turn }) {
  await db.run('INSERT INTO entry VALUES (?, ?, -1)', [hub, turn]);
  await harness.post(`ack ${hub} ${turn} -1`);
}

/** Twenty at a time, each acknowledgement and each refusal posted, until all have been refused. */
async function writeUntilFenced({ hub, turn }) {
  let last = 0;
  const codes = new Set();
  const loop = async () => {
    for (;;) {
      const n = ++last;
      try {
        await db.run('INSERT INTO entry VALUES (?, ?, ?)', [hub, turn, n]);
        await harness.post(`ack ${hub} ${turn} ${n}`);
      } catch ({ code, outcome }) {
        codes.add(code);
        return harness.post(`${outcome} ${hub} ${turn} ${n}`);
      }
    }
  };
  const loops = Array.from({ length: 20 }, loop);
  globalThis.writing = Promise.all(loops).then(() => ({ codes: [...codes], tried: last }));
}

function judge(t, lines, rows) {
  const stored = rows.map(({ hub, turn, n }) => `${hub} ${turn} ${n}`);
  const said = (kind) => lines.filter((line) => line.startsWith(`${kind} `)).map((line) => line.slice(kind.length + 1));
  const [acked, refused, unknown] = [said('ack'), said('not-applied'), said('unknown')];
  const there = new Set(stored);
  assert.equal(there.size, stored.length, 'nothing is there twice');
  assert.deepEqual(acked.filter((write) => !there.has(write)), [], 'acknowledged and not there');
  assert.deepEqual(refused.filter((write) => there.has(write)), [], 'refused as not applied, and there');
  const known = new Set([...acked, ...unknown]);
  assert.deepEqual(stored.filter((write) => !known.has(write)), [], 'there, and neither acknowledged nor in doubt');
  t.diagnostic(`${TAKEOVERS} takeovers: ${acked.length} acks, ${refused.length} writes not applied, ${unknown.length} in doubt`);
}
