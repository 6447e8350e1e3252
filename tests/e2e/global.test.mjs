// At stake: tabhub works for a page without a bundler, from plain static files, under a strict content security policy and
// without the COOP/COEP headers that many hosts cannot send.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ENGINE } from './engines.mjs';
import { withWorld } from './world.mjs';

const HEADERS = { 'Content-Security-Policy': "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; img-src data:" };

/** Else the test would have to open the policy, which is its subject. */
const skip = ENGINE === 'webkit' && 'WebKit is driven from inside its pages, and the policy keeps the driver out';

test('a plain HTML page uses tabhub.global.js', { timeout: 120_000, skip }, async (t) => {
  await withWorld(t, usePlainPages, { headers: HEADERS });
});

/** The pages act by themselves (pages/global.js): the debugging protocol is exempt from the policy, a page's script is not. */
async function usePlainPages(world) {
  const first = await world.tab(null, { page: 'global.html?role=writer' });
  const written = await first.run(() => globalThis.outcome);
  assert.deepEqual(written, {
    isolated: false,
    violations: [],
    rows: [
      { id: 1, title: 'milk', done: 0 },
      { id: 2, title: 'bread', done: 1 },
    ],
    moved: 2,
    rolledBack: 'no thanks',
    count: 2,
  });
  const second = await world.tab(null, { page: 'global.html?role=reader' });
  const read = await second.run(() => globalThis.outcome);
  assert.deepEqual(read, { isolated: false, violations: [], titles: ['bread', 'milk'], mode: 'shared', persistence: 'indexeddb' });
  const seen = await first.run(() => db.all("SELECT title FROM task WHERE title LIKE 'from the%'"));
  assert.deepEqual(seen, [{ title: 'from the reader' }]);
  const hubs = [await first.run(() => db.status.hub), await second.run(() => db.status.hub)];
  assert.equal(hubs[0], hubs[1], 'both tabs talk to one hub');
}
