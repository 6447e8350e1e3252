// At stake: a deployment mistake is told to the caller, with the URL that is wrong, instead of a page that waits for ever.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withWorld } from './world.mjs';

const DEADLINE_MS = 10_000;
const SLACK_MS = 1_500;
const FAILED = ['HUB_LOAD_FAILED'];
const FAILED_OR_LATE = ['HUB_LOAD_FAILED', 'HUB_LOAD_TIMEOUT'];

const CASES = [
  { name: 'the worker is not there', options: { workerUrl: '/broken/missing.js' }, codes: FAILED },
  { name: 'the worker has a syntax error', options: { workerUrl: '/broken/syntax.js' }, codes: FAILED_OR_LATE },
  { name: 'the worker throws while it loads', options: { workerUrl: '/broken/throws.js' }, codes: FAILED_OR_LATE },
  { name: 'the worker comes as text/html', options: { workerUrl: '/broken/mime.js' }, codes: FAILED },
  { name: 'the worker never says a word', options: { workerUrl: '/broken/mute.js' }, codes: ['HUB_LOAD_TIMEOUT'] },
  { name: 'the wasm is not there', options: { wasmUrl: '/broken/missing.wasm' }, codes: FAILED },
  { name: 'the wasm is a sign-in page', options: { wasmUrl: '/broken/html.wasm' }, codes: FAILED },
  { name: 'the wasm is garbage', options: { wasmUrl: '/broken/garbage.wasm' }, codes: FAILED },
  { name: 'the wasm never arrives', options: { wasmUrl: '/broken/silent.wasm' }, codes: FAILED_OR_LATE },
  { name: 'a switch of the tests is misspelt', options: { workerUrl: '/dist/hub.js?jspi=none' }, codes: FAILED },
  { name: 'a switch of the tests is half given', options: { workerUrl: '/dist/hub.js?pace=2' }, codes: FAILED },
];

test('a hub that cannot load is an error within 10 s that names the URL', { timeout: 240_000 }, async (t) => {
  await withWorld(t, async (world) => {
    const keeper = await world.tab('kept.db');
    await keeper.run(() => db.exec("CREATE TABLE kept (v TEXT); INSERT INTO kept VALUES ('safe')"));
    // As long as its hub lives, tabs with a wrong script are simply led to it.
    await world.restart();
    for (const wrong of CASES) await world.step(wrong.name, () => failToLoad(world, wrong));
    await world.step('the database is unharmed', async () => {
      const tab = await world.tab('kept.db');
      assert.deepEqual(await tab.run(() => db.all('SELECT v FROM kept')), [{ v: 'safe' }]);
    });
  });
});

async function failToLoad(world, { options, codes }) {
  const tab = await world.tab();
  const { error, ms } = await tab.run(async (wrong) => {
    const start = performance.now();
    const error = await tabhub.open('kept.db', wrong).then(() => null, ({ name, code, message, outcome }) => ({ name, code, message, outcome }));
    return { error, ms: performance.now() - start };
  }, options);
  assert.ok(error, 'open must not succeed');
  assert.equal(error.name, 'HubError');
  assert.ok(codes.includes(error.code), `${error.code}: ${error.message}`);
  const [path] = Object.values(options);
  assert.ok(error.message.includes(`${world.site.url}${path}`), `the message must name ${path} itself: ${error.message}`);
  assert.ok(ms < DEADLINE_MS + SLACK_MS, `it took ${Math.round(ms)} ms`);
  await tab.close();
}
