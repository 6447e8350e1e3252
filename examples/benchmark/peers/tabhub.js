import { open } from '/dist/tabhub.js';
import { announcer } from './shared/announcer.js';
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
  open: async (name, { durability, watch: isWatched }) => {
    const db = await open(name, { durability });
    // Until there are live queries, a page tells its others by itself: after the ack every tab reads what was written.
    const { watch, announce, close } = announcer(name, isWatched);
    return {
      ...sqlTable({
        exec: (sql) => db.exec(sql),
        run: async (sql, params) => announce(await db.run(sql, params)),
        batch: (statements) => db.batch(statements),
        all: (sql, params) => db.all(sql, params),
        watch,
        async close() {
          close();
          await db.close();
        },
      }),
      // For what is measured of tabhub alone.
      exec: (sql) => db.exec(sql),
      metrics: () => db.metrics(),
    };
  },
};
