/** The types of the adapters, against the real libraries' own. Compiled, never run. */
import { drizzle as drizzleOf, migrate } from 'tabhub/drizzle';
import { TabhubDialect, liveQuery as liveKysely } from 'tabhub/kysely';
import { useLiveQuery, useSuspenseLiveQuery } from 'tabhub/react';
import { createLiveQuery } from 'tabhub/solid';
import { liveQuery } from 'tabhub/svelte';
import { useLiveQuery as useLiveVue } from 'tabhub/vue';
import init, { Database as Compat, MultiTabDatabase, type ColumnValue, type QueryResult } from 'tabhub/compat';
import { eq } from 'drizzle-orm';
import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core';
import { Kysely, type Generated } from 'kysely';
import type { Accessor } from 'solid-js';
import { ref } from 'vue';
import type { Database, HubError, LiveQuery } from 'tabhub';
import { same } from './equal.js';

interface User { id: number; name: string }
declare const db: Database;

export async function kysely(): Promise<void> {
  const kysely = new Kysely<{ user: { id: Generated<number>; name: string } }>({ dialect: new TabhubDialect({ database: db }) });
  const rows = await kysely.selectFrom('user').selectAll().execute();
  same<typeof rows, User[]>();
  const live = liveKysely(db, kysely.selectFrom('user').select('name'));
  same<typeof live, LiveQuery<{ name: string }>>();
  // @ts-expect-error: there is no such option
  new TabhubDialect({ databse: db });
}

export async function drizzle(): Promise<void> {
  const users = sqliteTable('user', { id: integer().primaryKey(), name: text().notNull() });
  const orm = drizzleOf(db, { schema: { users } });
  const rows = await orm.select().from(users).where(eq(users.id, 1));
  same<typeof rows, User[]>();
  const found = await orm.query.users.findFirst();
  same<typeof found, User | undefined>();
  const name = await orm.transaction(async tx => (await tx.query.users.findFirst())?.name);
  same<typeof name, string | undefined>();
  await migrate(db, { journal: { entries: [{ idx: 0, when: 1, tag: '0000_a', breakpoints: true }] }, migrations: { m0000: '' } });
}

export function frameworks(): void {
  const inReact = useLiveQuery<User>(db, 'SELECT * FROM user');
  same<typeof inReact.rows, readonly User[] | undefined>();
  same<typeof inReact.error, HubError | undefined>();
  const suspended = useSuspenseLiveQuery<User, [number]>(db, 'SELECT * FROM user WHERE id = ?', [1]);
  same<typeof suspended, readonly User[]>();
  const inVue = useLiveVue<User>(ref<Database>(), () => 'SELECT * FROM user', () => [1]);
  same<typeof inVue.rows.value, readonly User[] | undefined>();
  const inSolid = createLiveQuery<User>(() => db, 'SELECT * FROM user', () => [1]);
  same<typeof inSolid.rows, Accessor<readonly User[] | undefined>>();
  const inSvelte = liveQuery<User>(db, 'SELECT * FROM user');
  same<typeof inSvelte.rows, readonly User[] | undefined>();
}

export async function compat(): Promise<void> {
  await init({ workerUrl: '/hub.js' });
  const db = await Compat.newDatabase('app.db');
  const result = await db.executeWithParams('SELECT ?', [1, { type: 'Text', value: 'Ada' }]);
  same<typeof result, QueryResult>();
  const value = result.rows[0]?.values[0];
  same<typeof value, ColumnValue | undefined>();
  const tabs = new MultiTabDatabase(Compat, 'app.db', { autoSync: true, waitForLeadership: false, syncIntervalMs: 0 });
  // @ts-expect-error: its parameters are a list
  await tabs.write('SELECT ?', 7);
}
