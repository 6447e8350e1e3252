/**
 * What check-peers.mjs asks of a peer. Each function runs in the page and travels as source text, so each sees only its argument and has its
 * helpers inside. It throws at the first result that is not what was stored.
 */

/** Every operation of the table once, on few rows; what is left must be there afterwards. */
export async function checkTable({ id, durability }) {
  const expect = (what, got, wanted) => {
    const [a, b] = [JSON.stringify(got), JSON.stringify(wanted)];
    if (a !== b) throw new Error(`${what}: expected ${String(b).slice(0, 300)}, got ${String(a).slice(0, 300)}`);
  };
  const { default: peer } = await import(`/bench/${id}.js`);
  if (peer.isolated !== globalThis.crossOriginIsolated) throw new Error(`isolated is ${peer.isolated}, the page's is ${globalThis.crossOriginIsolated}`);
  const table = await peer.open(`check-${durability}.db`, { durability });
  await table.create();
  expect('count of an empty table', await table.count(), 0);
  const items = Array.from({ length: 100 }, (_, at) => ({ id: at + 1, body: `body ${at + 1} ✓ 'quoted' ${'x'.repeat(80)}` }));
  await table.insertMany(items);
  expect('rows after insertMany', await table.readAll(), items);
  await table.insert({ id: 101, body: 'the last one' });
  expect('count after insert', await table.count(), 101);
  expect('get', await table.get(101), { id: 101, body: 'the last one' });
  expect('get of a missing row', (await table.get(102)) ?? null, null);
  await table.updateHalf('updated');
  const updated = [...items, { id: 101, body: 'the last one' }].map((item) => (item.id % 2 ? item : { ...item, body: 'updated' }));
  expect('rows after updateHalf', await table.readAll(), updated);
  await table.deleteQuarter();
  expect('rows after deleteQuarter', await table.readAll(), updated.filter(({ id }) => id % 4 !== 0));

  const wide = Array.from({ length: 60 }, (_, at) => ({ id: at + 1, grp: at % 7, amount: at + 0.25, name: `name ${at}`, note: at % 2 ? null : `note ${at}` }));
  await table.insertWide(wide);
  expect('wideRows', await table.wideRows(10), wide.slice(0, 10));
  const groups = Array.from({ length: 7 }, (_, grp) => wide.filter((row) => row.grp === grp)).map((rows, grp) => ({ grp, n: rows.length, total: rows.reduce((sum, { amount }) => sum + amount, 0) }));
  expect('aggregate', await table.aggregate(), groups);
  if (table.slow) expect('slow', await table.slow(1000), 1000);
  const refused = await table.insertMany([{ id: 500, body: 'first' }, { id: 1, body: 'a duplicate' }]).then(() => 'was accepted', () => 'was refused');
  expect('a transaction with a duplicate key', refused, 'was refused');
  expect('a row of the refused transaction', (await table.get(500)) ?? null, null);
  await Promise.all(Array.from({ length: 20 }, (_, at) => table.insert({ id: 1000 + at, body: 'at once' })));
  expect('count after 20 at once', await table.count(), 96);
  await table.close();
}

/** In a fresh page: what checkTable left. */
export async function checkReopened({ id, durability }) {
  const { default: peer } = await import(`/bench/${id}.js`);
  const table = await peer.open(`check-${durability}.db`, { durability });
  const rows = await table.readAll();
  const last = await table.get(1019);
  const [sum] = [rows.reduce((sum, row) => sum + row.id, 0)];
  await table.close();
  const wanted = { count: 96, sum: 101 * 51 - 4 * (25 * 26) / 2 + 20 * 1000 + 190, last: 'at once' };
  const got = { count: rows.length, sum, last: last?.body };
  if (JSON.stringify(got) !== JSON.stringify(wanted)) throw new Error(`expected ${JSON.stringify(wanted)}, got ${JSON.stringify(got)}`);
}

/* Two tabs, for a peer that says it takes several. */

export async function openTable({ id, durability }) {
  const { default: peer } = await import(`/bench/${id}.js`);
  globalThis.table = await peer.open(`tabs-${durability}.db`, { durability, watch: true });
}

export async function createTable() {
  await table.create();
}

/** Each write awaits its own acknowledgement while the other tab does the same. */
export async function insertFrom({ from, count }) {
  for (let id = from; id < from + count; id++) await table.insert({ id, body: `from ${from}` });
}

/** What is acknowledged in one tab must be read in the other, perhaps after a moment. */
export async function countIn({ wanted, ms }) {
  let count = -1;
  for (const end = performance.now() + ms; count !== wanted && performance.now() < end; ) count = await table.count();
  if (count !== wanted) throw new Error(`expected ${wanted} rows, got ${count} for ${ms} ms`);
}

/** Begins to watch; answers false if the peer offers no way. */
export async function watchTable() {
  globalThis.seen = Promise.withResolvers();
  await table.watch?.(async () => (await table.get(9_999)) && seen.resolve());
  return Boolean(table.watch);
}

export async function seesRow() {
  await seen.promise;
}

export async function closeTable() {
  await table.close();
}
