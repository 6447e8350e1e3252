/** The option `trace`: what is measured of each call, and that nothing is without it. */
import assert from 'node:assert/strict';
import { answer } from './failover.mjs';
import { createWorld, later, settle, test } from './world.mjs';

test('each call is measured from its sending to its last answer', async t => {
  const world = createWorld(t, answer);
  const db = await world.open({ trace: true });
  await db.run('INSERT 1');
  world.script.query = () => {};
  later(db.all('SELECT 2'));
  await settle();
  const seen = world.measures.map(({ name, detail, isOver }) => [name, detail.database, detail.sql, isOver]);
  assert.deepEqual(seen, [['tabhub query', 'app.db', 'INSERT 1', true], ['tabhub query', 'app.db', 'SELECT 2', false]]);
});

test('nothing is measured where it was not asked for', async t => {
  const world = createWorld(t, answer);
  await (await world.open()).run('INSERT 1');
  assert.deepEqual(world.measures, []);
});
