/**
 * The goals, and how each is computed from the figures. A speed is how many times as fast tabhub is as the best of those it is held against, round by
 * round. `durable`: only of those that stored what they acknowledged with that durability, by their own word and by workload K of the same run. `of`:
 * another figure of tabhub's own. `value_min` and `value_max` are on the value itself, `every_max` on that of every round.
 */
export const TABHUB = 'tabhub';

/** Whom tabhub is held against. A peer that failed is in none of them. */
export const GROUPS = {
  'raw IndexedDB': ({ id }) => id === 'raw-indexeddb',
  'every peer on IndexedDB': ({ storage }) => storage === 'indexeddb',
  'every peer on OPFS': ({ storage }) => storage === 'opfs',
  'every SQLite on IndexedDB': ({ storage, engine }) => storage === 'indexeddb' && engine === 'sqlite',
  'every SQLite': ({ engine }) => engine === 'sqlite',
  'every peer': () => true,
};

/** `cacheBytes` by default, and what a hub takes beside it, as `npm run isolation` has it. */
const CACHE_MIB = 32;
const BESIDE_CACHE_MIB = 4;

const STEPS = ['A.insert', 'A.read', 'A.update', 'A.delete'];

export const GOALS = [
  ...STEPS.map((figure) => ({ figure, against: 'every peer on IndexedDB', durable: 'strict', speed_min: 2 })),
  ...STEPS.map((figure) => ({ figure, against: 'every peer on OPFS', durable: 'strict', speed_min: 1 / 1.3 })),
  ...['strict', 'relaxed'].flatMap((durable) => [
    { figure: `B.${durable}`, against: 'raw IndexedDB', speed_min: 0.9 },
    { figure: `B.${durable}`, against: 'every SQLite on IndexedDB', durable, speed_min: 3 },
  ]),
  { figure: "B'.at-once", of: 'B.strict', speed_min: 30 },
  { figure: 'C.writes', against: 'raw IndexedDB', speed_min: 1.7 },
  { figure: 'C.writes', against: 'every SQLite', durable: 'strict', speed_min: 6 },
  { figure: 'D.insert', against: 'every peer', durable: 'strict', speed_min: 1 },
  { figure: 'E.of-echo', value_min: 0.85 },
  { figure: 'E.of-echo-across', value_min: 0.85 },
  { figure: 'E.four', against: 'every peer', speed_min: 1 },
  { figure: 'F.aggregate', against: 'every peer', speed_min: 1 / 1.1 },
  { figure: 'F.objects', against: 'every peer', speed_min: 1 / 0.7 },
  { figure: 'G.row', against: 'raw IndexedDB', speed_min: 0.5 },
  { figure: 'G.hub-memory', value_max: CACHE_MIB + BESIDE_CACHE_MIB },
  { figure: 'H.seen', against: 'raw IndexedDB', speed_min: 1 / 1.2 },
  { figure: 'I.longest', value_max: 20 },
  { figure: 'J.brotli', value_max: 380 },
  { figure: 'K.strict', every_max: 0 },
  { figure: 'K.relaxed', every_max: 0 },
];
