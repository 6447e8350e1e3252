/** Looking into a hub: which it may be, what is asked of it, and what comes of its tables. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT, inspectDatabase } from './client.mjs';
import { createWorld, rejects, test, within } from './world.mjs';

/** The columns of each table, as the hub names them. */
const TABLES = [...readFileSync(join(ROOT, 'src/hub/inspect.rs'), 'utf8').matchAll(/Table::new\(&\[([^\]]+)\]\)/g)]
  .map(([, names]) => [...names.matchAll(/"(\w+)"/g)].map(([, name]) => name));

function createInspection(t, script = {}, overrides = {}) {
  const world = createWorld(t, script, { databases: async () => ['app.db', 'other.db'], ...overrides });
  return { world, run: (options, name = 'app.db') => within(inspectDatabase(world.env, { workerUrl: 'https://app.example/lib/hub.js' }, name, options), 'inspect') };
}

/** A row in which every value is its place. */
const answer = ({ id }, hub) => {
  const shapes = TABLES.map(columns => ({ columns: columns.map(name => ({ name, type: null })), rows: 1, changes: 0, last_insert_rowid: '0' }));
  hub.reply(id, { results: { results: shapes } }, TABLES.map(columns => columns.map((_, at) => ({ integer: String(at) }))));
};

test('the tables of the hub become lists of what they hold, with the hub\'s figures', async t => {
  const { run } = createInspection(t, { metrics: ({ id }, hub) => hub.reply(id, { metrics: { commits: 7 } }), inspect: answer });
  const inspector = await run();
  const { metrics, ...tables } = await within(inspector.state(), 'the state');
  assert.deepEqual(metrics, { commits: 7 });
  assert.deepEqual(Object.keys(tables), ['sessions', 'requests', 'transactions', 'live', 'latencies', 'log']);
  Object.values(tables).forEach(([row], at) => assert.deepEqual(row, Object.fromEntries(TABLES[at].map((name, place) => [name, place]))));
  await inspector.close();
});

// At stake: a column that is renamed on one side only would be undefined in an app.
test('the columns of the hub are the properties of the types', () => {
  const types = readFileSync(join(ROOT, 'hub-js/inspect.ts'), 'utf8');
  const fields = name => {
    const body = new RegExp(`interface ${name} \\{([^}]*)\\}`).exec(types)[1].replace(/\/\*\*.*?\*\//gs, '');
    return [...body.matchAll(/(\w+):/g)].map(([, field]) => field);
  };
  const names = ['InspectedSession', 'InspectedRequest', 'InspectedTransaction', 'InspectedLive', 'InspectedLatency'];
  assert.deepEqual(names.map(fields), TABLES.slice(0, names.length));
  assert.deepEqual(TABLES[5], ['at', 'level', 'message']);
});

test('a request of any tab is stopped by session and id; anything else is refused', async t => {
  const { run, world } = createInspection(t);
  const inspector = await run();
  inspector.cancel({ session: 3, id: 10, sql: 'SELECT 1' });
  assert.deepEqual((await world.hub.take('cancel')).op, { cancel: { target: 10, session: 3 } });
  for (const request of [undefined, null, {}, { id: 1 }, { session: '3', id: 10 }, { session: -1, id: 1 }, { session: 1, id: 0.5 }]) {
    assert.throws(() => inspector.cancel(request), { code: 'HUB_BAD_VALUE' });
  }
  assert.equal(world.hub.has('cancel'), false);
});

test('it looks at what is there, and creates nothing', async t => {
  const { run, world } = createInspection(t);
  assert.match((await rejects(run({}, 'misspelt.db'), 'HUB_BAD_REQUEST')).message, /no database 'misspelt.db'; it stores 'app.db', 'other.db'/);
  assert.equal(world.connects.length, 0);
  const blind = createInspection(t, {}, { databases: async () => { throw new Error('this browser cannot tell'); } });
  assert.equal((await blind.run()).status.state, 'open');
});

test('its options are those by which the hub is found', async t => {
  const { run } = createInspection(t);
  assert.match((await rejects(run({ migrations: [] }), 'HUB_BAD_OPTION')).message, /^inspect: there is no option 'migrations'; it knows mode, workerUrl, wasmUrl, onLog/);
  await rejects((await run()).state({ limit: 5 }), 'HUB_BAD_OPTION');
});
