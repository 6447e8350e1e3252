/** Transactions when their hub is lost: nothing of them is applied, or all, and the tab is told which. */
import assert from 'node:assert/strict';
import { documented } from './documented.mjs';
import { TRANSACTION, fail, sent } from './failover.mjs';
import { createWorld, later, rejects, settle, test, within } from './world.mjs';

for (const [kind, statement] of [['query', tx => tx.run('INSERT')], ['query', tx => tx.all('SELECT')], ['exec', tx => tx.exec('DELETE')], ['batch', tx => tx.batch(['UPDATE'])]]) {
  test(`a transaction whose hub dies during ${kind} is lost and was not applied`, async t => {
    const world = createWorld(t, { ...TRANSACTION, [kind]() {} });
    const db = await world.open();
    const work = later(db.transaction(statement));
    await world.hub.take(kind);
    await fail(world);
    documented('HUB_TRANSACTION_LOST', await rejects(work, 'HUB_TRANSACTION_LOST', 'not-applied'));
    await settle();
    assert.deepEqual(sent(world.hub), [[1, 'hello', undefined]], 'the next hub does not hear of it');
  });
}

test('a statement after the change of hub is refused before it can reach another transaction of the same number', async t => {
  for (const during of ['reconnecting', 'open']) {
    const world = createWorld(t, TRANSACTION);
    const db = await world.open();
    let go;
    const work = later(db.transaction(async tx => {
      await tx.run('INSERT 1');
      await new Promise(resolve => { go = resolve; });
      await tx.run('INSERT 2');
    }));
    await settle();
    await fail(world, during === 'open' ? {} : { hello() {} });
    assert.equal(db.status.state, during);
    go();
    assert.equal((await rejects(work, 'HUB_TRANSACTION_LOST', 'not-applied')).sql, 'INSERT 2');
    assert.deepEqual(sent(world.hub), [[1, 'hello', undefined]], 'no statement, no commit, no rollback');
  }
});

test('a commit that the dead hub has never seen is not sent to the next', async t => {
  const world = createWorld(t, TRANSACTION);
  const db = await world.open();
  let go;
  const work = later(db.transaction(async tx => { await tx.run('INSERT 1'); await new Promise(resolve => { go = resolve; }); }));
  await settle();
  await fail(world);
  go();
  await rejects(work, 'HUB_TRANSACTION_LOST', 'not-applied');
  assert.equal(world.hub.has('commit'), false);
});

test('a begin that was not answered begins with the next hub', async t => {
  const world = createWorld(t, { ...TRANSACTION, begin() {} });
  const db = await world.open();
  const work = later(db.transaction(async tx => { await tx.run('INSERT'); return 'done'; }));
  const { id } = await world.hub.take('begin');
  await fail(world, { begin: TRANSACTION.begin });
  assert.equal(await within(work, 'the transaction'), 'done');
  assert.deepEqual(sent(world.hub).slice(1).map(([, kind]) => kind), ['begin', 'query', 'commit']);
  assert.equal(world.hub.received[1].id, id);
});

test('a commit that was not answered is asked for again: the stored reply, or nothing was applied', async t => {
  for (const [reply, check] of [
    [TRANSACTION.commit, async work => assert.equal(await work, 'result')],
    [({ id }, hub) => hub.fail(id, 'HUB_TRANSACTION_LOST'), work => rejects(work, 'HUB_TRANSACTION_LOST', 'not-applied')],
  ]) {
    const world = createWorld(t, { ...TRANSACTION, commit() {} });
    const db = await world.open();
    const work = later(db.transaction(async tx => { await tx.run('INSERT'); return 'result'; }));
    const { id, write, answered } = await world.hub.take('commit');
    await fail(world, { commit: reply });
    await check(work);
    const again = await world.hub.take('commit');
    assert.deepEqual([again.id, again.write, again.answered], [id, write, answered]);
    assert.equal(write, 1);
    await settle();
    assert.equal(world.hub.has('rollback'), false, 'no other transaction can be rolled back by it');
  }
});

test('a rollback that the hub takes with it is done: what the work threw comes out', async t => {
  const world = createWorld(t, { ...TRANSACTION, rollback() {} });
  const db = await world.open();
  const mine = new RangeError('mine');
  const work = later(db.transaction(() => { throw mine; }));
  await world.hub.take('rollback');
  await fail(world, { hello() {} });
  await assert.rejects(within(work, 'the rollback'), error => error === mine);
});

test('a lost transaction is run again as often as it is told to, from the start', async t => {
  for (const [retries, hubs, runs] of [[0, 1, 1], [2, 2, 3], [2, 5, 3]]) {
    let died = 0;
    const dies = ({ id }, hub) => died++ < hubs ? hub.die() : TRANSACTION.query({ id }, hub);
    const world = createWorld(t, { ...TRANSACTION, query: dies });
    const db = await world.open();
    let ran = 0;
    const work = later(db.transaction(async tx => { ran++; await tx.run('INSERT'); return 'done'; }, { retries }));
    if (hubs <= retries) assert.equal(await within(work, 'the transaction'), 'done');
    else await rejects(work, 'HUB_TRANSACTION_LOST', 'not-applied');
    assert.equal(ran, runs);
  }
});

test('an error of the function is no reason to run it again', async t => {
  const world = createWorld(t, TRANSACTION);
  const db = await world.open();
  let ran = 0;
  await assert.rejects(db.transaction(() => { ran++; throw new Error('mine'); }, { retries: 5 }), /mine/);
  assert.equal(ran, 1);
});
