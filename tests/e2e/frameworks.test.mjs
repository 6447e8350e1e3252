// At stake: components that show what is not there any more, two states at once, or go on following what nobody shows. The real frameworks over their adapters.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bundleAdapters } from './adapters/bundle.mjs';
import { withWorld } from './world.mjs';

const page = 'adapters.html';
const SHOWN_MS = 15_000;
/** Longer than the React adapter keeps what nobody looks at. */
const FORGOTTEN_MS = 20_000;

test('React over tabhub', { timeout: 240_000 }, async (t) => {
  await withWorld(t, async (world) => {
    const [a, b] = await world.tabs(2, 'react.db', { page });
    await b.run(prepare);
    await world.step('under StrictMode a list shows what another tab writes, and follows its parameters', () => reactList(a, b));
    await world.step('thirty components of one render never show two states', async () => {
      await a.run(mountMany);
      await b.run(writeMany, 150);
      const { commits, torn, shown } = await a.run(whatManyShowed, SHOWN_MS);
      t.diagnostic(`${commits} commits of React while another tab wrote 150 times`);
      assert.deepEqual({ torn, shown }, { torn: 0, shown: '150' });
      assert.ok(commits > 20, `React committed ${commits} times: nothing was tried`);
    });
    await world.step('Suspense waits for the first rows, and an error boundary gets the error once', async () => {
      assert.deepEqual(await a.run(suspends, SHOWN_MS), { states: ['loading', 'Sirius,Vega,Deneb'], failed: 'SQLITE_ERROR', attempts: 1 });
    });
    await world.step('after 1,000 mounts nothing is followed', async () => {
      const { most, left } = await a.run(mountsOften, { mounts: 1_000, ms: FORGOTTEN_MS });
      t.diagnostic(`${most} queries followed at most, ${left} at the end`);
      assert.equal(left, 0);
    });
    await Promise.all([a, b].map((tab) => tab.close()));
  }, { mounts: await bundleAdapters() });
});

for (const [name, mount] of [['Vue', mountVue], ['Svelte', mountSvelte], ['Solid', mountSolid]]) {
  test(`${name} over tabhub`, { timeout: 120_000 }, async (t) => {
    await withWorld(t, async (world) => {
      const [a, b] = await world.tabs(2, 'framework.db', { page });
      await b.run(prepare);
      await a.run(mount);
      assert.equal(await a.run(shows, { text: 'Sirius,Vega,Deneb', ms: SHOWN_MS }), true);
      await b.run(() => db.run("INSERT INTO star (name) VALUES ('Altair')"));
      assert.equal(await a.run(shows, { text: 'Sirius,Vega,Deneb,Altair', ms: SHOWN_MS }), true);
      await a.run(() => later());
      assert.equal(await a.run(shows, { text: 'Vega,Deneb,Altair', ms: SHOWN_MS }), true, 'the parameter is followed');
      if (name === 'Svelte') assert.equal(await a.run(() => document.querySelector('#store').textContent), '4', 'as a store');
      await a.run(() => unmount());
      assert.equal(await a.run(followsNothing, SHOWN_MS), 0, 'it ends with its component');
      await Promise.all([a, b].map((tab) => tab.close()));
    }, { mounts: await bundleAdapters() });
  });
}

async function reactList(a, b) {
  await a.run(mountReact);
  assert.equal(await a.run(shows, { text: 'Sirius,Vega,Deneb', ms: SHOWN_MS }), true);
  const { live_queries: followed } = await a.run(() => db.metrics());
  assert.equal(followed, 1, 'mounted twice, followed once');
  await b.run(() => db.run("INSERT INTO star (name) VALUES ('Altair')"));
  assert.equal(await a.run(shows, { text: 'Sirius,Vega,Deneb,Altair', ms: SHOWN_MS }), true);
  await a.run(() => later());
  assert.equal(await a.run(shows, { text: 'Vega,Deneb,Altair', ms: SHOWN_MS }), true, 'the parameter is followed');
  await b.run(() => db.run("DELETE FROM star WHERE name = 'Altair'"));
  assert.equal(await a.run(shows, { text: 'Vega,Deneb', ms: SHOWN_MS }), true);
  await a.run(() => unmount());
}

/* These run in the page. */
async function prepare() {
  await db.exec("CREATE TABLE star (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO star (name) VALUES ('Sirius'), ('Vega'), ('Deneb')");
  await db.exec('CREATE TABLE counter (n INTEGER); INSERT INTO counter VALUES (0)');
}

async function shows({ text, ms }) {
  const shown = () => document.querySelector('#shown')?.textContent;
  return await harness.until(ms, () => shown() === text) || `after ${ms} ms it shows ${shown()}`;
}

async function followsNothing(ms) {
  await harness.until(ms, async () => (await db.metrics()).live_queries === 0);
  return (await db.metrics()).live_queries;
}

function mountReact() {
  const { createElement: h, StrictMode, useState } = react;
  function Stars() {
    const [least, setLeast] = useState(1);
    globalThis.later = () => setLeast(2);
    const { rows, error, isLoading } = reactAdapter.useLiveQuery(db, 'SELECT id, name FROM star WHERE id >= ? ORDER BY id', [least]);
    return h('p', { id: 'shown' }, isLoading ? 'loading' : error?.code ?? rows.map(({ name }) => name).join());
  }
  const root = createRoot(document.querySelector('#root'));
  root.render(h(StrictMode, null, h(Stars)));
  globalThis.unmount = () => root.unmount();
}

/** Each component is slow, so that React's concurrent renders are interrupted by what is told in between. */
function mountMany() {
  const { createElement: h, StrictMode, startTransition, useLayoutEffect, useState } = react;
  globalThis.seen = { commits: 0, torn: 0 };
  function Slow() {
    const { rows } = reactAdapter.useLiveQuery(db, 'SELECT n FROM counter');
    const end = performance.now() + 1;
    while (performance.now() < end);
    useLayoutEffect(() => {
      const shown = new Set([...document.querySelectorAll('.n')].map(({ textContent }) => textContent));
      seen.commits += 1;
      if (shown.size > 1) seen.torn += 1;
    });
    return h('p', { className: 'n' }, rows?.[0].n);
  }
  function Many() {
    const [turn, setTurn] = useState(0);
    globalThis.turn = () => startTransition(() => setTurn((before) => before + 1));
    return h('div', { 'data-turn': turn }, Array.from({ length: 30 }, (_, at) => h(Slow, { key: at, turn })));
  }
  const root = createRoot(document.querySelector('#root'));
  root.render(h(StrictMode, null, h(Many)));
  const turning = setInterval(() => turn(), 20);
  globalThis.unmount = () => { clearInterval(turning); root.unmount(); };
}

async function writeMany(times) {
  for (let at = 0; at < times; at++) {
    await db.run('UPDATE counter SET n = n + 1');
    await harness.sleep(5);
  }
}

async function whatManyShowed(ms) {
  const last = () => document.querySelector('.n:last-child').textContent;
  await harness.until(ms, () => last() === '150');
  const result = { ...seen, shown: last() };
  unmount();
  return result;
}

async function suspends(ms) {
  const { createElement: h, Component, StrictMode, Suspense } = react;
  const states = [];
  let attempts = 0;
  const Stars = () => {
    const text = reactAdapter.useSuspenseLiveQuery(db, 'SELECT name FROM star ORDER BY id').map(({ name }) => name).join();
    return h('p', { id: 'shown', ref: (element) => { if (element && states.at(-1) !== text) states.push(text); } }, text);
  };
  const Loading = () => h('p', { ref: (element) => { if (element && states.at(-1) !== 'loading') states.push('loading'); } }, 'loading');
  const Failing = () => reactAdapter.useSuspenseLiveQuery(db, 'SELECT * FROM nowhere');
  class Boundary extends Component {
    state = {};
    static getDerivedStateFromError(error) { return { error }; }
    componentDidCatch() { attempts += 1; }
    render() { return this.state.error ? h('p', { id: 'failed' }, this.state.error.code) : this.props.children; }
  }
  const root = createRoot(document.querySelector('#root'), { onCaughtError() {} });
  root.render(h(StrictMode, null, h(Suspense, { fallback: h(Loading) }, h(Stars)), h(Boundary, null, h(Suspense, { fallback: 'loading' }, h(Failing)))));
  await harness.until(ms, () => document.querySelector('#failed') && document.querySelector('#shown'));
  await harness.sleep(2_000);
  const failed = document.querySelector('#failed')?.textContent;
  root.unmount();
  return { states, failed, attempts };
}

async function mountsOften({ mounts, ms }) {
  const { createElement: h, StrictMode } = react;
  const One = ({ least }) => h('p', null, String(reactAdapter.useLiveQuery(db, 'SELECT count(*) AS n FROM star WHERE id > ?', [least]).rows?.length));
  const root = createRoot(document.querySelector('#root'));
  let most = 0;
  for (let at = 0; at < mounts; at++) {
    flushSync(() => root.render(h(StrictMode, null, h(One, { key: at, least: at % 50 }))));
    await harness.sleep(0);
    if (at % 100 === 99) most = Math.max(most, (await db.metrics()).live_queries);
  }
  root.unmount();
  await harness.until(ms, async () => (await db.metrics()).live_queries === 0);
  return { most, left: (await db.metrics()).live_queries };
}

function mountVue() {
  const { createApp, h, ref } = vue;
  const app = createApp({
    setup() {
      const least = ref(1);
      globalThis.later = () => { least.value = 2; };
      const { rows, error, isLoading } = vueAdapter.useLiveQuery(db, 'SELECT id, name FROM star WHERE id >= ? ORDER BY id', () => [least.value]);
      return () => h('p', { id: 'shown' }, isLoading.value ? 'loading' : error.value?.code ?? rows.value.map(({ name }) => name).join());
    },
  });
  app.mount('#root');
  globalThis.unmount = () => app.unmount();
}

function mountSvelte() {
  const component = svelte.mount(Stars, { target: document.querySelector('#root'), props: { db } });
  globalThis.later = () => document.querySelector('#root button').click();
  globalThis.unmount = () => svelte.unmount(component);
}

function mountSolid() {
  const { createEffect, createRoot, createSignal } = solid;
  document.querySelector('#root').innerHTML = '<p id="shown"></p>';
  createRoot((dispose) => {
    const [least, setLeast] = createSignal(1);
    globalThis.later = () => setLeast(2);
    const { rows, error, isLoading } = solidAdapter.createLiveQuery(() => db, 'SELECT id, name FROM star WHERE id >= ? ORDER BY id', () => [least()]);
    createEffect(() => { document.querySelector('#shown').textContent = isLoading() ? 'loading' : error()?.code ?? rows().map(({ name }) => name).join(); });
    globalThis.unmount = dispose;
  });
}
