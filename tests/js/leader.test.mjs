/** Without SharedWorker: who hosts, how the others reach it, and how the next one takes over. The election itself has `election.test.mjs`. */
import assert from 'node:assert/strict';
import { documented } from './documented.mjs';
import { createTabs } from './tabs.mjs';
import { FakeLocks, done, later, noRows, rejects, test, within } from './world.mjs';

/** Hubs that share what is written: each numbered write once, whoever sends it how often. */
const script = site => ({
  query({ id, op }, hub) {
    hub.reply(id, noRows, [[]]);
    site.asked = [...site.asked ?? [], `${hub.instance} ${op.query.sql}`];
  },
  close: ({ id }, hub) => hub.reply(id, done),
});

const until = async (what, met) => {
  for (let times = 0; !met(); times++) {
    if (times > 400) throw new Error(`waited for ${what}`);
    await new Promise(resolve => setTimeout(resolve, 5));
  }
};

const roles = tabs => tabs.map(({ db }) => `${db.status.role} ${db.status.hub} ${db.status.state}`);

test('the first tab hosts the hub, the others reach it over a channel', async t => {
  const site = createTabs(t, { script });
  const tabs = [site.add(), site.add(), site.add()];
  for (const tab of tabs) await tab.open();
  assert.deepEqual(roles(tabs), ['leader hub-1 open', 'follower hub-1 open', 'follower hub-1 open']);
  assert.equal(tabs[1].db.status.mode, 'leader');
  for (const [at, { db }] of tabs.entries()) assert.deepEqual(await within(db.all(`SELECT ${at}`), 'the rows'), []);
  assert.deepEqual(site.asked, ['hub-1 SELECT 0', 'hub-1 SELECT 1', 'hub-1 SELECT 2']);
  assert.equal(site.hubs.length, 1);
});

for (const [how, leave] of [
  ['closes the database', tab => tab.db.close()],
  ['vanishes', tab => tab.vanish()],
  ['is put aside', tab => tab.page('hide')],
]) {
  test(`when the leader ${how}, another tab takes over and all go on with it`, async t => {
    const site = createTabs(t, { script });
    const tabs = [site.add(), site.add(), site.add()];
    for (const tab of tabs) await tab.open();
    const failovers = [];
    for (const tab of tabs.slice(1)) tab.db.on('failover', ({ from, to }) => failovers.push([from, to]));
    await leave(tabs[0]);
    await until('both to go on', () => failovers.length === 2);
    const [, second, third] = tabs;
    const { hub } = second.db.status;
    assert.notEqual(hub, 'hub-1');
    assert.deepEqual(roles([second, third]).sort(), [`follower ${hub} open`, `leader ${hub} open`]);
    for (const { db } of [second, third]) assert.deepEqual(await within(db.all('SELECT 1'), 'the rows'), []);
    assert.ok(site.asked.every(asked => asked.startsWith(hub)));
  });
}

test('a leader that comes back from where it was put aside follows the new one', async t => {
  const site = createTabs(t, { script });
  const tabs = [site.add(), site.add()];
  for (const tab of tabs) await tab.open();
  tabs[0].page('hide');
  assert.equal(tabs[0].db.status.state, 'reconnecting');
  await until('the other to lead', () => tabs[1].db.status.role === 'leader' && tabs[1].db.status.state === 'open');
  tabs[0].page('show');
  await until('it to follow', () => tabs[0].db.status.state === 'open');
  assert.deepEqual(roles(tabs), ['follower hub-2 open', 'leader hub-2 open']);
});

test('a call that waits while the leader dies is answered by the next hub', async t => {
  const site = createTabs(t, { script: () => ({ query({ id }, hub) { if (hub.instance !== 'hub-1') hub.reply(id, noRows, [[]]); } }) });
  const tabs = [site.add(), site.add()];
  for (const tab of tabs) await tab.open();
  const write = tabs[1].db.run('INSERT 1');
  tabs[0].vanish();
  assert.equal((await within(write, 'the write')).changes, 0);
});

test('it works with the lock alone, and with the lease alone', async t => {
  for (const lacking of [{ storage: null }, { locks: null }]) {
    const site = createTabs(t, { script, ...lacking });
    const tabs = [site.add(), site.add()];
    for (const tab of tabs) await tab.open();
    assert.deepEqual(roles(tabs), ['leader hub-1 open', 'follower hub-1 open']);
    tabs[0].vanish();
    await until('the other to lead', () => tabs[1].db.status.role === 'leader' && tabs[1].db.status.state === 'open');
  }
});

test('with neither nobody can be elected, and open says so', async t => {
  const site = createTabs(t, { script, locks: null, storage: null });
  documented('HUB_UNSUPPORTED', await rejects(site.add().open(), 'HUB_UNSUPPORTED'));
});

test('without a channel the first tab works, and the next is told why it cannot', async t => {
  const site = createTabs(t, { script, channel: null });
  const [first, second] = [site.add(), site.add()];
  await first.open();
  assert.deepEqual(await within(first.db.all('SELECT 1'), 'the rows'), []);
  documented('HUB_UNREACHABLE', await rejects(second.open(), 'HUB_UNREACHABLE'));
});

test('tabs that open at the same moment agree on one hub', async t => {
  const site = createTabs(t, { script });
  const tabs = Array.from({ length: 5 }, () => site.add());
  await Promise.all(tabs.map(tab => tab.open()));
  assert.equal(new Set(tabs.map(({ db }) => db.status.hub)).size, 1);
  assert.equal(tabs.filter(({ db }) => db.status.role === 'leader').length, 1);
});

// At stake: a lock that comes when its tab wants it no more, and that nobody lets go of, keeps every other tab from leading.
test('a lock that is granted to a page which was put aside meanwhile is let go of', async t => {
  const locks = new FakeLocks();
  const slow = { request: async (name, ...rest) => {
    if (name.endsWith(':leader')) await new Promise(resolve => setTimeout(resolve, 20));
    return locks.request(name, ...rest);
  } };
  const site = createTabs(t, { script, locks: slow });
  const [first, second] = [site.add(), site.add()];
  later(first.open());
  await new Promise(resolve => setTimeout(resolve, 5));
  first.page('hide');
  await second.open();
  assert.deepEqual(roles([second]), ['leader hub-1 open']);
});
