import { open } from '/dist/tabhub.js';
import { sqlTable } from '../workloads/sql-table.js';

export default {
  id: 'tabhub',
  name: 'tabhub',
  package: 'tabhub',
  engine: 'sqlite',
  storage: 'indexeddb',
  ack: {
    strict: 'IndexedDB transaction complete, strict',
    relaxed: 'IndexedDB transaction complete, relaxed',
  },
  isolated: false,
  tabs: true,
  download: ['../../dist/tabhub.js', '../../dist/hub.js', '../../dist/hub.wasm'],
  open: async (name, { durability }) => {
    const db = await open(name, { durability });
    return {
      ...sqlTable({
        exec: (sql) => db.exec(sql),
        run: (sql, params) => db.run(sql, params),
        batch: (statements) => db.batch(statements),
        all: (sql, params) => db.all(sql, params),
        watch: (callback) => db.onChange({ tables: ['item'] }, callback),
        close: () => db.close(),
      }),
      // For what is measured of tabhub alone.
      exec: (sql) => db.exec(sql),
      metrics: () => db.metrics(),
      live: (sql, params) => db.live(sql, params),
    };
  },
};
