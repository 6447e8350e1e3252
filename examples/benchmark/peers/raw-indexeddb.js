/**
 * IndexedDB without a library, by the best use of its API: one transaction a call, which is committed as soon as its last request is made, no
 * handler on requests whose answer nobody reads, and `getAll` instead of cursors.
 */
import { announcer } from './shared/announcer.js';
import { groupBy } from './shared/group-by.js';

const STORES = ['item', 'wide'];

export default {
  id: 'raw-indexeddb',
  name: 'raw IndexedDB',
  package: null,
  engine: 'none',
  storage: 'indexeddb',
  ack: {
    strict: 'IndexedDB transaction complete, strict',
    relaxed: 'IndexedDB transaction complete, relaxed',
  },
  isolated: false,
  tabs: true,
  download: [],
  open: async (name, { durability, watch }) => tableOver(await openDatabase(name), durability, announcer(name, watch)),
};

function openDatabase(name) {
  const request = indexedDB.open(name, 1);
  request.onupgradeneeded = () => {
    for (const store of STORES) request.result.createObjectStore(store, { keyPath: 'id' });
  };
  return answered(request);
}

function tableOver(db, durability, { watch, announce, close }) {
  /** One writing transaction; resolves when it is complete. */
  const write = (stores, work) => new Promise((resolve, reject) => {
    const transaction = db.transaction(stores, 'readwrite', { durability });
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error);
    work(transaction);
  });
  const read = (store, ask) => answered(ask(db.transaction(store).objectStore(store)));
  const addAll = (store, rows) => write(store, (transaction) => {
    const target = transaction.objectStore(store);
    for (const row of rows) target.add(row);
    transaction.commit();
  });
  /** Reads all, by `ask`, and writes what `change(target, each)` does about it, in the same transaction. */
  const rewrite = (ask, change) => write('item', (transaction) => {
    const target = transaction.objectStore('item');
    const request = target[ask]();
    request.onsuccess = () => {
      for (const each of request.result) change(target, each);
      transaction.commit();
    };
  });
  return {
    create: () => write(STORES, (transaction) => {
      for (const store of STORES) transaction.objectStore(store).clear();
      transaction.commit();
    }),
    insertMany: (rows) => addAll('item', rows),
    insert: async (row) => announce(await addAll('item', [row])),
    readAll: () => read('item', (store) => store.getAll()),
    updateHalf: (body) => rewrite('getAllKeys', (target, id) => id % 2 === 0 && target.put({ id, body })),
    deleteQuarter: () => rewrite('getAllKeys', (target, id) => id % 4 === 0 && target.delete(id)),
    get: (id) => read('item', (store) => store.get(id)),
    count: () => read('item', (store) => store.count()),
    insertWide: (rows) => addAll('wide', rows),
    aggregate: async () => groupBy(await read('wide', (store) => store.getAll())),
    wideRows: (limit) => read('wide', (store) => store.getAll(null, limit)),
    watch,
    close() {
      close();
      db.close();
    },
  };
}

function answered(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
