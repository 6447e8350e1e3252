import { openAbsurderSql } from './shared/absurder-sql.js';
import { serveStore } from './shared/serve-store.js';

serveStore(async (name, { durability }) => {
  const store = await openAbsurderSql({ durability, open: (Database) => Database.newDatabaseWithBackend(name, 'Hybrid') });
  // As its README has it: a worker has no localStorage to elect a leader in.
  await store.db.allowNonLeaderWrites(true);
  return store;
});
