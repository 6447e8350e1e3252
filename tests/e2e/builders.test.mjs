// At stake: queries that Kysely and Drizzle build, and what they promise about transactions and migrations, over the adapters in real tabs.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bundleAdapters } from './adapters/bundle.mjs';
import { withWorld } from './world.mjs';

const page = 'adapters.html';

test('Kysely over tabhub', { timeout: 180_000 }, async (t) => {
  await withWorld(t, async (world) => {
    const [a, b] = await world.tabs(2, 'kysely.db', { page });
    for (const tab of [a, b]) await tab.run(openKysely);
    await world.step('creates, writes, reads, joins, introspects', () => a.run(kyselyQueries).then(checkQueries));
    await world.step('keeps every type of value', async () => {
      assert.deepEqual(await a.run(kyselyValues), { big: 2n ** 63n - 1n, small: 7, real: 0.5, bytes: Uint8Array.of(1, 2, 255), nothing: null });
    });
    await world.step('rolls a transaction back, and to a savepoint; no other tab gets in between', () => kyselyTransactions(a, b));
    await world.step('streams, and stops when the loop is left', async () => {
      assert.deepEqual(await a.run(kyselyStreams), { sum: 50_005_000, taken: 250, inTransaction: 10_000 });
    });
    await world.step('two tabs migrate at once, each step once', () => kyselyMigrations(a, b));
    await world.step('a query is followed with its own rows', async () => {
      assert.deepEqual(await a.run(kyselyLive), [[], [{ name: 'Vega' }]]);
    });
    await Promise.all([a, b].map((tab) => tab.run(() => k.destroy())));
  }, { mounts: await bundleAdapters() });
});

test('Drizzle over tabhub', { timeout: 180_000 }, async (t) => {
  await withWorld(t, async (world) => {
    const [a, b] = await world.tabs(2, 'drizzle.db', { page });
    for (const tab of [a, b]) await tab.run(openDrizzle);
    await world.step('two tabs migrate at once, each step once', () => drizzleMigrations(a, b));
    await world.step('writes, reads, joins, relations, batches', () => a.run(drizzleQueries).then(checkDrizzle));
    await world.step('keeps every type of value', async () => {
      assert.deepEqual(await a.run(drizzleValues), { big: '9223372036854775807', small: 7, real: 0.5, text: '{"a":1}', at: 1_700_000_000_000, flag: true, nothing: null });
    });
    await world.step('rolls a transaction back, and to a savepoint; no other tab gets in between', () => drizzleTransactions(a, b));
    await Promise.all([a, b].map((tab) => tab.close()));
  }, { mounts: await bundleAdapters() });
});

function checkQueries({ inserted, updated, deleted, joined, tables, code }) {
  assert.deepEqual(inserted, { insertId: 2n, affected: 2n });
  assert.deepEqual([updated, deleted], [1n, 1n]);
  assert.deepEqual(joined, [{ name: 'ada', title: 'notes' }]);
  assert.deepEqual(tables, [
    { name: 'book', columns: ['id', 'author', 'title'], auto: ['id'] }, { name: 'person', columns: ['id', 'name'], auto: ['id'] },
  ]);
  assert.equal(code, 'SQLITE_CONSTRAINT_UNIQUE');
}

async function kyselyTransactions(a, b) {
  assert.deepEqual(await a.run(kyselyRollbacks), { thrown: 'on purpose', names: ['ada', 'kept'], isolated: 'kept' });
  await Promise.all([a, b].map((tab) => tab.run(kyselyCounts, 100)));
  assert.deepEqual(await b.run(() => k.selectFrom('counter').select('n').execute()), [{ n: 200 }], 'no update was lost between the tabs');
}

async function kyselyMigrations(a, b) {
  const results = await Promise.all([a, b].map((tab) => tab.run(kyselyMigrate)));
  assert.deepEqual(results.map(({ error }) => error), [null, null]);
  assert.deepEqual(results.flatMap(({ steps }) => steps).sort(), ['001_star', '002_more']);
  assert.deepEqual(await a.run(() => k.selectFrom('star').selectAll().execute()), [{ id: 1, name: 'Sirius' }]);
  const failed = await a.run(kyselyMigrateBadly);
  assert.equal(failed.code, 'SQLITE_ERROR');
  assert.deepEqual(await b.run(() => db.all("SELECT name FROM sqlite_schema WHERE name = 'half'")), [], 'the schema is as it was');
}

function checkDrizzle({ returned, found, joined, related, batched, ran, code }) {
  assert.deepEqual(returned, [{ id: 1, name: 'ada' }]);
  assert.deepEqual(found, { id: 1, name: 'ada' });
  assert.deepEqual(joined, [{ person: 'ada', title: 'notes' }]);
  assert.deepEqual(related, [{ id: 1, name: 'ada', books: [{ title: 'notes' }] }]);
  assert.deepEqual(batched, [[{ id: 2, name: 'bob' }], [{ n: 2 }]]);
  assert.deepEqual(ran, { changes: 1, lastInsertRowid: 3 });
  assert.equal(code, 'SQLITE_CONSTRAINT_UNIQUE');
}

async function drizzleMigrations(a, b) {
  await Promise.all([a, b].map((tab) => tab.run(drizzleMigrate)));
  assert.deepEqual(await b.run(() => db.all('SELECT created_at FROM __drizzle_migrations ORDER BY id')), [{ created_at: 10 }, { created_at: 20 }]);
  await assert.rejects(a.run(drizzleMigrateBadly, false), { code: 'SQLITE_ERROR' });
  await assert.rejects(a.run(drizzleMigrateBadly, true), { message: /0002_bad is in the journal and not in the bundle/ });
  assert.deepEqual(await b.run(() => db.all("SELECT name FROM sqlite_schema WHERE name = 'half'")), [], 'the schema is as it was');
}

async function drizzleTransactions(a, b) {
  assert.deepEqual(await a.run(drizzleRollbacks), { thrown: 'Rollback', names: ['ada', 'bob', 'carl', 'kept'] });
  await Promise.all([a, b].map((tab) => tab.run(drizzleCounts, 100)));
  assert.deepEqual(await b.run(() => db.all('SELECT n FROM counter')), [{ n: 200 }], 'no update was lost between the tabs');
}

/* These run in the page. */
function openKysely() {
  globalThis.k = new kysely.Kysely({ dialect: new kyselyAdapter.TabhubDialect({ database: Promise.resolve(db) }) });
}

async function kyselyQueries() {
  await k.schema.createTable('person').addColumn('id', 'integer', (c) => c.primaryKey().autoIncrement()).addColumn('name', 'text', (c) => c.unique().notNull()).execute();
  await k.schema.createTable('book').addColumn('id', 'integer', (c) => c.primaryKey()).addColumn('author', 'integer', (c) => c.references('person.id')).addColumn('title', 'text').execute();
  const { insertId, numInsertedOrUpdatedRows: affected } = await k.insertInto('person').values([{ name: 'ada' }, { name: 'bob' }]).executeTakeFirst();
  await k.insertInto('book').values({ author: 1, title: 'drafts' }).execute();
  const { numUpdatedRows: updated } = await k.updateTable('book').set({ title: 'notes' }).where('author', '=', 1).executeTakeFirst();
  const { numDeletedRows: deleted } = await k.deleteFrom('person').where('name', '=', 'bob').executeTakeFirst();
  const joined = await k.selectFrom('person').innerJoin('book', 'book.author', 'person.id').select(['person.name', 'book.title']).execute();
  const all = await k.introspection.getTables();
  const tables = all.map(({ name, columns }) => ({ name, columns: columns.map((c) => c.name), auto: columns.filter((c) => c.isAutoIncrementing).map((c) => c.name) }));
  const { code } = await k.insertInto('person').values({ name: 'ada' }).execute().catch((error) => error);
  return { inserted: { insertId, affected }, updated, deleted, joined, tables, code };
}

async function kyselyValues() {
  await k.schema.createTable('value').addColumn('big', 'integer').addColumn('small', 'integer').addColumn('real', 'real').addColumn('bytes', 'blob').addColumn('nothing', 'text').execute();
  return k.insertInto('value').values({ big: 2n ** 63n - 1n, small: 7, real: 0.5, bytes: Uint8Array.of(1, 2, 255), nothing: null }).returningAll().executeTakeFirst();
}

async function kyselyRollbacks() {
  const insert = (trx, name) => trx.insertInto('person').values({ name }).execute();
  const thrown = await k.transaction().execute(async (trx) => { await insert(trx, 'lost'); throw new Error('on purpose'); }).catch((error) => error.message);
  const trx = await k.startTransaction().execute();
  await insert(trx, 'kept');
  const inside = await trx.savepoint('before').execute();
  await insert(inside, 'undone');
  await (await inside.rollbackToSavepoint('before').execute()).releaseSavepoint('before').execute();
  const { name: isolated } = await trx.selectFrom('person').select('name').orderBy('id', 'desc').executeTakeFirst();
  await trx.commit().execute();
  await k.schema.createTable('counter').addColumn('n', 'integer').execute();
  await k.insertInto('counter').values({ n: 0 }).execute();
  const names = (await k.selectFrom('person').select('name').orderBy('name').execute()).map(({ name }) => name);
  return { thrown, names, isolated };
}

async function kyselyCounts(times) {
  for (let at = 0; at < times; at++) {
    await k.transaction().execute(async (trx) => {
      const { n } = await trx.selectFrom('counter').select('n').executeTakeFirst();
      await trx.updateTable('counter').set({ n: n + 1 }).execute();
    });
  }
}

async function kyselyStreams() {
  await k.schema.createTable('many').addColumn('n', 'integer').execute();
  await db.run('WITH RECURSIVE c(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM c WHERE n < 10000) INSERT INTO many SELECT n FROM c');
  let sum = 0;
  for await (const { n } of k.selectFrom('many').select('n').stream()) sum += n;
  let taken = 0;
  for await (const _ of k.selectFrom('many').select('n').stream(100)) if (++taken === 250) break;
  let inTransaction = 0;
  await k.transaction().execute(async (trx) => { for await (const _ of trx.selectFrom('many').select('n').stream(100)) inTransaction += 1; });
  return { sum, taken, inTransaction };
}

async function kyselyMigrate() {
  const provider = { getMigrations: async () => ({
    '001_star': { up: (on) => on.schema.createTable('star').addColumn('id', 'integer', (c) => c.primaryKey()).addColumn('name', 'text').execute() },
    '002_more': { up: (on) => on.insertInto('star').values({ name: 'Sirius' }).execute() },
  }) };
  const { error, results = [] } = await new kysely.Migrator({ db: k, provider }).migrateToLatest();
  return { error: error ? String(error) : null, steps: results.map(({ migrationName }) => migrationName) };
}

async function kyselyMigrateBadly() {
  const provider = { getMigrations: async () => ({
    '001_star': { up: async () => {} }, '002_more': { up: async () => {} },
    '003_half': { up: async (on) => { await on.schema.createTable('half').addColumn('id', 'integer').execute(); await on.deleteFrom('nowhere').execute(); } },
  }) };
  const { error } = await new kysely.Migrator({ db: k, provider }).migrateToLatest();
  return { code: error.code };
}

async function kyselyLive() {
  const told = [];
  const live = kyselyAdapter.liveQuery(db, k.selectFrom('star').select('name').where('id', '>', 1));
  await new Promise((resolve) => {
    live.subscribe((rows) => {
      told.push(rows);
      if (rows.length > 0) resolve();
      else void k.insertInto('star').values({ name: 'Vega' }).execute();
    });
  });
  return told;
}

function openDrizzle() {
  const { integer, text, real, blob, sqliteTable } = drizzleCore;
  const person = sqliteTable('person', { id: integer().primaryKey(), name: text().unique().notNull() });
  const book = sqliteTable('book', { id: integer().primaryKey(), author: integer().references(() => person.id), title: text() });
  const value = sqliteTable('value', {
    big: text(), small: integer(), real: real(), text: text({ mode: 'json' }), at: integer({ mode: 'timestamp_ms' }), flag: integer({ mode: 'boolean' }), nothing: blob({ mode: 'json' }),
  });
  const counter = sqliteTable('counter', { n: integer().notNull() });
  const books = drizzleOrm.relations(person, ({ many }) => ({ books: many(book) }));
  const author = drizzleOrm.relations(book, ({ one }) => ({ author: one(person, { fields: [book.author], references: [person.id] }) }));
  globalThis.tables = { person, book, value, counter };
  globalThis.d = drizzleAdapter.drizzle(db, { schema: { person, book, value, counter, books, author } });
}

async function drizzleMigrate() {
  await drizzleAdapter.migrate(db, {
    journal: { entries: [{ idx: 0, when: 10, tag: '0000_first', breakpoints: true }, { idx: 1, when: 20, tag: '0001_second', breakpoints: true }] },
    migrations: {
      m0000: 'CREATE TABLE `person` (`id` integer PRIMARY KEY, `name` text NOT NULL UNIQUE);\n--> statement-breakpoint\nCREATE TABLE `book` (`id` integer PRIMARY KEY, `author` integer, `title` text);',
      m0001: 'CREATE TABLE `value` (`big` text, `small` integer, `real` real, `text` text, `at` integer, `flag` integer, `nothing` blob);--> statement-breakpoint\nCREATE TABLE `counter` (`n` integer NOT NULL);--> statement-breakpoint\nINSERT INTO `counter` VALUES (0);',
    },
  });
}

async function drizzleMigrateBadly(isMissing) {
  const entries = [{ idx: 2, when: 30, tag: '0002_bad', breakpoints: true }];
  await drizzleAdapter.migrate(db, { journal: { entries }, migrations: isMissing ? {} : { m0002: 'CREATE TABLE half (x);--> statement-breakpoint\nINSERT INTO nowhere VALUES (1)' } });
}

async function drizzleQueries() {
  const { person, book } = tables;
  const { eq, count } = drizzleOrm;
  const returned = await d.insert(person).values({ name: 'ada' }).returning();
  await d.insert(book).values({ author: 1, title: 'drafts' });
  await d.update(book).set({ title: 'notes' }).where(eq(book.author, 1));
  const found = await d.select().from(person).where(eq(person.id, 1)).get();
  const joined = await d.select({ person: person.name, title: book.title }).from(person).innerJoin(book, eq(book.author, person.id));
  const related = await d.query.person.findMany({ with: { books: { columns: { title: true } } } });
  const batched = await d.batch([d.insert(person).values({ name: 'bob' }).returning(), d.select({ n: count() }).from(person)]);
  const { changes, lastInsertRowid } = await d.insert(person).values({ name: 'carl' }).run();
  const { cause } = await d.insert(person).values({ name: 'ada' }).then(() => ({}), (error) => error);
  return { returned, found, joined, related, batched, ran: { changes, lastInsertRowid }, code: cause?.code };
}

async function drizzleValues() {
  const { value } = tables;
  await d.insert(value).values({ big: String(2n ** 63n - 1n), small: 7, real: 0.5, text: { a: 1 }, at: new Date(1_700_000_000_000), flag: true, nothing: null });
  const [row] = await d.select().from(value);
  return { ...row, at: row.at.getTime(), text: JSON.stringify(row.text) };
}

async function drizzleRollbacks() {
  const { person } = tables;
  const thrown = await d.transaction(async (tx) => { await tx.insert(person).values({ name: 'lost' }); tx.rollback(); }).catch((error) => error.message);
  await d.transaction(async (tx) => {
    await tx.insert(person).values({ name: 'kept' });
    await tx.transaction(async (inner) => { await inner.insert(person).values({ name: 'undone' }); inner.rollback(); }).catch(() => {});
  });
  return { thrown, names: (await d.select().from(person).orderBy(person.name)).map(({ name }) => name) };
}

async function drizzleCounts(times) {
  const { counter } = tables;
  for (let at = 0; at < times; at++) {
    await d.transaction(async (tx) => {
      const { n } = await tx.select().from(counter).get();
      await tx.update(counter).set({ n: n + 1 });
    });
  }
}
