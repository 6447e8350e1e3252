/** The types of rows, parameters, options and errors. Compiled, never run. */
import { open, HubError, type ApplyResult, type Change, type Changeset, type Database, type Difference, type LiveQuery, type ObjectRow, type QueryResult, type SqlValue, type Statement } from 'tabhub';
import { same } from './equal.js';

interface User { id: number; name: string }
declare const db: Database;

export async function rows(): Promise<void> {
  const plain = await db.all('SELECT * FROM user');
  same<typeof plain, ObjectRow[]>();
  same<ObjectRow[string], SqlValue>();
  const users = await db.all<User>('SELECT * FROM user');
  same<typeof users, User[]>();
  const user = await db.get<User>('SELECT * FROM user');
  same<typeof user, User | undefined>();
  const tuples = await db.query<[number, string]>('SELECT id, name FROM user', [], { rowMode: 'array' });
  same<typeof tuples, QueryResult<[number, string]>>();
  const tagged = await db.sql<User>`SELECT * FROM user WHERE id = ${7} OR name = ${'Ada'} OR born < ${new Date()}`;
  same<typeof tagged, User[]>();
  for await (const row of db.iterate<User>('SELECT * FROM user')) same<typeof row, User>();
  const results = await db.batch<User>(['SELECT * FROM user', ['SELECT * FROM user WHERE id = ?', [1]]]);
  same<typeof results, QueryResult<User>[]>();
  const answer = await db.transaction(async tx => (await tx.get<User>('SELECT 1'))?.name);
  same<typeof answer, string | undefined>();
  // @ts-expect-error: an object is no value of SQLite's
  await db.sql`SELECT ${{ a: 1 }}`;
}

export async function parameters(): Promise<void> {
  await db.run('INSERT INTO user VALUES (?, ?, ?, ?)', [1n, null, true, new Uint8Array(3)]);
  await db.get('SELECT :id', { id: 7 });
  await db.get('SELECT ?', 7);
  // @ts-expect-error: undefined is not NULL
  await db.run('SELECT ?', [undefined]);
  // @ts-expect-error: a function is no value
  await db.run('SELECT ?', [() => 1]);

  await db.all<User, [id: number]>('SELECT * FROM user WHERE id = ?', [7]);
  // @ts-expect-error: the id is a number
  await db.all<User, [id: number]>('SELECT * FROM user WHERE id = ?', ['7']);
  const byName = db.prepare<User, { name: string }>('SELECT * FROM user WHERE name = :name');
  same<typeof byName, Statement<User, { name: string }>>();
  const found = await byName.get({ name: 'Ada' });
  same<typeof found, User | undefined>();
  // @ts-expect-error: there is no such parameter
  await byName.get({ nom: 'Ada' });
  // @ts-expect-error: Date is none of its values
  db.prepare<User, { born: RegExp }>('SELECT 1');
}

export function options(): void {
  void open('app.db', { durability: 'relaxed', migrations: [{ version: 1, up: async tx => { await tx.exec('SELECT 1'); } }] });
  // @ts-expect-error: there is no such option
  void open('app.db', { durabilty: 'relaxed' });
  // @ts-expect-error: nor such a value
  void db.all('SELECT 1', [], { rowMode: 'map' });
  // @ts-expect-error: a read has no durability of its own
  db.live('SELECT 1', [], { durability: 'strict' });
  // @ts-expect-error: databases come from open()
  void ({} satisfies Database);
}

export function live(): void {
  const users = db.live<User>('SELECT * FROM user', [], { key: 'id' });
  same<typeof users, LiveQuery<User>>();
  users.subscribe(rows => same<typeof rows, readonly User[]>());
  users.subscribe({ error: error => same<typeof error, HubError>() });
  users.onDiff(difference => same<typeof difference, Difference<User>>());
  const snapshot = users.getSnapshot();
  same<typeof snapshot, readonly User[] | undefined>();
  void (users satisfies AsyncIterable<readonly User[]>);
  db.onChange({ tables: ['user'] }, change => same<typeof change, Change>());
  db.on('failover', ({ ms }) => same<typeof ms, number>());
  // @ts-expect-error: there is no such event
  db.on('fail', () => {});
}

export function errors(error: unknown): void {
  if (error instanceof HubError) {
    same<typeof error.outcome, 'applied' | 'not-applied' | 'unknown'>();
    if (error.code === 'SQLITE_CONSTRAINT_UNIQUE' || error.code === 'HUB_TIMEOUT') return;
    // @ts-expect-error: there is no such code
    if (error.code === 'HUB_TIME_OUT') return;
  }
}

export async function changesets(): Promise<void> {
  const since = await db.keepChanges({ commits: 100 });
  same<typeof since, number>();
  for await (const change of db.changes(since)) same<typeof change, Changeset>();
  same<Awaited<ReturnType<typeof db.apply>>, ApplyResult>();
  await db.transaction(tx => tx.apply(new ArrayBuffer(0), { conflict: 'omit' }));
  // @ts-expect-error there is no such way
  void db.apply(new Uint8Array(), { conflict: 'merge' });
  // @ts-expect-error how many must be said
  void db.keepChanges({});
}
