// The benchmark in a page: tabhub and plain IndexedDB by turns, the workloads of `npm run bench` that one tab can do. Nothing is sent anywhere.
import { deleteDatabase } from '/dist/tabhub.js';
import { $, clearError, guarded } from '/examples/page.js';
import { show } from './bars.js';
import rawIndexedDb from './peers/raw-indexeddb.js';
import tabhub from './peers/tabhub.js';
import { bulk, BULK } from './workloads/bulk.js';
import { crud, CRUD } from './workloads/crud.js';
import { fill, POINTS, readPoints } from './workloads/points.js';
import { atOnce, oneByOne } from './workloads/singles.js';

const PEERS = [tabhub, rawIndexedDb];
const ROUNDS = 3;
/** A visitor waits for it. */
const SMALLER_BULK = { ...BULK, rows: 20_000, objects: 10_000, repeats: 3, enough_ms: 1_000 };

/** Each answers its figures: `{ title: { value, unit } }`; of `ms` less is better. */
const WORKLOADS = [
  { name: 'inserting, reading, updating, deleting', run: async (table) => inMs({ 'insert 1000 rows': 'insert', 'read them': 'read', 'update half': 'update', 'delete a quarter': 'delete' }, await crud(table, { ...CRUD, repeats: 5 })) },
  { name: 'one durable write after another', run: async (table) => perSecond('durable writes, one after another', await oneByOne(table)) },
  { name: '500 durable writes at once', run: async (table) => perSecond('durable writes, 500 at once', await atOnce(table)) },
  {
    name: 'reading by key',
    run: async (table) => {
      await fill(table);
      return perSecond('reads by key', await readPoints(table, POINTS));
    },
  },
  { name: 'many rows', run: async (table) => inMs({ '20,000 rows of 5 columns in one transaction': 'insert', 'aggregate over them': 'aggregate', '10,000 of them as objects': 'objects' }, await bulk(table, SMALLER_BULK)) },
];

const figures = new Map();
let isStopped = false;

const inMs = (titles, times) => Object.fromEntries(Object.entries(titles).map(([title, key]) => [title, { value: times[key], unit: 'ms' }]));
const perSecond = (title, value) => ({ [title]: { value, unit: '/s' } });

$('#run').addEventListener('click', guarded(run));
$('#stop').addEventListener('click', () => {
  isStopped = true;
  $('#stop').disabled = true;
});
$('#machine').textContent = `${navigator.userAgent}; ${navigator.hardwareConcurrency} cores`;

async function run() {
  clearError();
  [$('#run').disabled, $('#stop').disabled, isStopped] = [true, false, false];
  figures.clear();
  let done = 0;
  const steps = ROUNDS * WORKLOADS.length * PEERS.length;
  try {
    for (let round = 0; round < ROUNDS; round++) {
      for (const workload of WORKLOADS) {
        // By turns, so that a busy moment of the machine meets both.
        for (const peer of round % 2 ? [...PEERS].reverse() : PEERS) {
          if (isStopped) return;
          $('#doing').textContent = `Round ${round + 1} of ${ROUNDS}: ${workload.name}, ${peer.name}`;
          note(peer, await measure(peer, workload));
          $('#progress').value = ++done / steps;
          show($('#results'), figures, PEERS.map(({ name }) => name));
        }
      }
    }
  } finally {
    $('#doing').textContent = done === steps ? 'Done.' : 'Stopped.';
    [$('#run').disabled, $('#stop').disabled] = [false, true];
  }
}

/** On a database of its own, which is gone afterwards. */
async function measure(peer, workload) {
  const name = `benchmark-${peer.id}`;
  const table = await peer.open(name, { durability: 'strict' });
  try {
    return await workload.run(table);
  } finally {
    await table.close();
    if (peer === tabhub) await deleteDatabase(name);
    else indexedDB.deleteDatabase(name);
  }
}

function note(peer, measured) {
  for (const [title, { value, unit }] of Object.entries(measured)) {
    if (!figures.has(title)) figures.set(title, { unit, values: new Map(PEERS.map(({ name }) => [name, []])) });
    figures.get(title).values.get(peer.name).push(value);
  }
}
