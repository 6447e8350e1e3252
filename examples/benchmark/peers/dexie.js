/** Dexie by its documentation's fastest ways: `bulkAdd`, `bulkPut` and `bulkDelete`, `liveQuery` for what other tabs do. */
import { Dexie, liveQuery } from 'dexie';
import { groupBy } from './shared/group-by.js';

export default {
  id: 'dexie',
  name: 'Dexie',
  package: 'dexie',
  engine: 'none',
  storage: 'indexeddb',
  ack: {
    strict: 'IndexedDB transaction complete, strict',
    relaxed: 'IndexedDB transaction complete, relaxed',
  },
  isolated: false,
  tabs: true,
  download: ['dist/dexie.js'],
  async open(name, { durability, watch }) {
    const db = new Dexie(name, { chromeTransactionDurability: durability });
    db.version(1).stores({ item: 'id', wide: 'id' });
    await db.open();
    // A tab without a live query of its own tells the others nothing.
    if (watch) liveQuery(() => db.item.count()).subscribe();
    return tableOver(db);
  },
};

function tableOver(db) {
  const { item, wide } = db;
  return {
    create: () => db.transaction('rw', item, wide, () => Promise.all([item.clear(), wide.clear()])),
    // By itself, bulkAdd keeps the rows before a duplicate.
    insertMany: (rows) => db.transaction('rw', item, () => item.bulkAdd(rows)),
    insert: (row) => item.add(row),
    readAll: () => item.toArray(),
    updateHalf: (body) => db.transaction('rw', item, async () => {
      const ids = await item.toCollection().primaryKeys();
      await item.bulkPut(ids.filter((id) => id % 2 === 0).map((id) => ({ id, body })));
    }),
    deleteQuarter: () => db.transaction('rw', item, async () => {
      const ids = await item.toCollection().primaryKeys();
      await item.bulkDelete(ids.filter((id) => id % 4 === 0));
    }),
    get: (id) => item.get(id),
    count: () => item.count(),
    insertWide: (rows) => wide.bulkAdd(rows),
    aggregate: async () => groupBy(await wide.toArray()),
    wideRows: (limit) => wide.limit(limit).toArray(),
    watch(callback) {
      // The first answer is what was there before.
      let seen = false;
      liveQuery(() => item.orderBy('id').last()).subscribe(() => (seen ? callback() : (seen = true)));
    },
    close: () => db.close(),
  };
}
