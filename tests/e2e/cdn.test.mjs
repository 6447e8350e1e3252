// At stake: a page whose scripts come from a CDN. A worker must be of the page's own origin, so one line is served there and fetches the rest.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { test } from 'node:test';
import { ENGINE, EVERY_ENGINE } from './engines.mjs';
import { byTurns } from './rounds.mjs';
import { ROOT } from './site.mjs';
import { withWorld } from './world.mjs';

for (const { engine, skip } of byTurns(EVERY_ENGINE.filter(({ engine }) => engine === ENGINE || engine === 'firefox'))) {
  test(`in ${engine}, a worker of one line fetches the hub from another origin`, { timeout: 60_000, skip }, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'tabhub-cdn-'));
    try {
      // A CDN sends this header, and so must whoever serves the WebAssembly from elsewhere.
      await withWorld(t, (world) => throughAStub(world, folder), { engine, mounts: { '/stub/': relative(ROOT, folder) }, headers: { 'Access-Control-Allow-Origin': '*' } });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
}

async function throughAStub(world, folder) {
  // The same server under another name is another origin.
  const elsewhere = world.site.url.replace('127.0.0.1', 'localhost');
  writeFileSync(join(folder, 'hub.js'), `importScripts('${elsewhere}/dist/hub.js');\n`);
  const options = { workerUrl: '/stub/hub.js', wasmUrl: `${elsewhere}/dist/hub.wasm` };
  for (const mode of ['shared', 'leader']) {
    const [one, other] = [await world.tab(`${mode}.db`, { options: { ...options, mode } }), await world.tab(`${mode}.db`, { options: { ...options, mode } })];
    await one.run(() => db.exec('CREATE TABLE t (v); INSERT INTO t VALUES (1)'));
    assert.deepEqual(await other.run(async () => [await db.all('SELECT v FROM t'), db.status.mode]), [[{ v: 1 }], mode]);
    await Promise.all([one.close(), other.close()]);
  }
  const refused = await world.tab();
  const error = await refused.run((url) => tabhub.open('x.db', { workerUrl: url }).catch(({ code, message }) => ({ code, message })), `${elsewhere}/dist/hub.js`);
  assert.equal(error.code, 'HUB_LOAD_FAILED');
  assert.ok(error.message.includes(elsewhere), error.message);
}
