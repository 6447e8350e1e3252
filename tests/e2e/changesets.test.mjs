// At stake: a sync engine that carries half of what was acknowledged. Changesets from one database to another in real tabs, also when the hub dies in between.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EVERY_ENGINE } from './engines.mjs';
import { byTurns } from './rounds.mjs';
import { withWorld } from './world.mjs';

const COMMITS = 60;

for (const { engine, skip } of byTurns(EVERY_ENGINE)) {
  test(`changesets of ${engine} carry one database into another`, { timeout: 120_000, skip }, async (t) => {
    await withWorld(t, async (world) => {
      const [host, a, b] = await world.tabs(3, 'here.db');
      await a.run(begin);
      await b.run(openThere);
      await world.step('what one tab writes another carries', async () => {
        await a.run(() => db.batch([['INSERT INTO todo (title, image) VALUES (?, ?)', ['milk', new Uint8Array([0, 255])]], "INSERT INTO todo (title) VALUES ('bread')"]));
        await a.run(() => db.exec('UPDATE todo SET title = upper(title) WHERE id = 1; DELETE FROM todo WHERE id = 2'));
        assert.deepEqual(await b.run(carry), { commits: 2, same: true });
      });
      await world.step('what came from elsewhere is told as such, and a conflict leaves nothing', () => both(b));
      await world.step('the hub dies while they are read', async () => {
        const pid = await world.processOfHub(host);
        await a.run(async (count) => { for (let n = 0; n < count; n++) await db.run('INSERT INTO todo (title) VALUES (?)', [`t${n}`]); }, COMMITS);
        await b.run(readSlowly);
        await world.browser.killProcess(pid);
        await a.run(() => db.run("INSERT INTO todo (title) VALUES ('after')"));
        const read = await b.run(restOfIt, 30_000);
        assert.deepEqual(read, Array.from({ length: read.length }, (_, at) => read[0] + at), 'each once, in order');
        assert.ok(read.length >= COMMITS);
        assert.deepEqual((await b.run(carry)).same, true);
      });
      await world.step('after an import there is nothing to go on from', async () => {
        await a.run(async () => db.import(await db.export()));
        await assert.rejects(b.run(carry), { code: 'HUB_CHANGES_GONE' });
        await assert.rejects(a.run(() => db.keepChanges({ commits: -1 })), { code: 'HUB_BAD_OPTION' });
        await assert.rejects(a.run(() => db.apply('text')), { code: 'HUB_BAD_VALUE' });
        await assert.rejects(a.run(() => db.apply(new Uint8Array([1, 2, 3]))), { code: 'HUB_BAD_REQUEST', outcome: 'not-applied' });
      });
    }, { engine });
  });
}

/* These run in the page. */
async function begin() {
  await db.exec('CREATE TABLE todo (id INTEGER PRIMARY KEY, title TEXT, image BLOB)');
  await db.keepChanges({ commits: 1_000 });
}

async function openThere() {
  globalThis.there = await tabhub.open('there.db');
  await there.exec('CREATE TABLE todo (id INTEGER PRIMARY KEY, title TEXT, image BLOB); CREATE TABLE carried (since)');
  globalThis.since = await db.keepChanges({ commits: 1_000 });
}

/** Carries what is new, the cursor in the same transaction. */
async function carry() {
  let commits = 0;
  for await (const { commit, changeset } of db.changes(since)) {
    await there.transaction(async (tx) => {
      await tx.apply(changeset);
      await tx.run('INSERT INTO carried VALUES (?)', [commit]);
    });
    since = commit;
    commits++;
  }
  const all = (database) => database.all('SELECT id, title, hex(image) AS image FROM todo ORDER BY id');
  return { commits, same: JSON.stringify(await all(db)) === JSON.stringify(await all(there)) };
}

async function both(tab) {
  const { told, conflicts, code, count } = await tab.run(async () => {
    const from = await there.keepChanges({ commits: 10 });
    await there.run("INSERT INTO todo (title) VALUES ('theirs')");
    const { value: { changeset } } = await there.changes(from).next();
    await db.run("INSERT INTO todo (id, title) SELECT max(id) + 1, 'mine' FROM todo");
    const { code } = await db.apply(changeset).catch((error) => error);
    const { conflicts } = await db.apply(changeset, { conflict: 'replace' });
    const told = [];
    for await (const { commit, applied } of db.changes(since)) {
      told.push(applied);
      since = commit;
    }
    return { told, conflicts, code, count: await db.get("SELECT count(*) AS mine FROM todo WHERE title = 'mine'") };
  });
  assert.equal(code, 'HUB_CONFLICT');
  assert.deepEqual(conflicts, [{ table: 'todo', key: '2', operation: 'insert', reason: 'the row exists already', resolution: 'replaced' }]);
  assert.deepEqual([told, count], [[false, true], { mine: 0 }]);
}

/** Takes one a while, so that the hub does not get far. */
async function readSlowly() {
  globalThis.read = [];
  globalThis.reading = (async () => {
    for await (const { commit } of db.changes(since)) {
      read.push(commit);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  })();
  while (read.length < 3) await new Promise((resolve) => setTimeout(resolve, 5));
}

async function restOfIt() {
  await reading;
  return read;
}
