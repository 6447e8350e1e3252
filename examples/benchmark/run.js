// The page of one run: `npm run bench` opens it, opens a peer's table in it, and calls workloads on it. It measures nothing by itself.
const tables = new Map();

globalThis.bench = {
  async describe(id) {
    const { default: peer } = await import(`/bench/${id}.js`);
    const { open, ...described } = peer;
    if (described.id !== id || typeof open !== 'function') throw new Error(`peers/${id}.js describes ${described.id}`);
    return described;
  },
  async open({ id, database, durability, watch = false }) {
    const { default: peer } = await import(`/bench/${id}.js`);
    if (peer.isolated && !crossOriginIsolated) throw new Error(`${id} wants an isolated page, and this one is not`);
    tables.set(database, await peer.open(database, { durability, watch }));
  },
  /** How long it takes from the peer's script on until a row is there, and the row. */
  async openAndRead({ row, ...how }) {
    const begun = performance.now();
    await bench.open(how);
    const value = await tables.get(how.database).get(row);
    return { ms: performance.now() - begun, row: value };
  },
  /** `name` of workloads/`module`.js, on the table. */
  async call({ module, name, database, argument }) {
    const workload = await import(`./workloads/${module}.js`);
    return workload[name](tables.get(database), argument);
  },
};

/** What tests/e2e/browser.mjs calls: a function as source text, its value or its error as JSON. */
globalThis.harness = {
  async call(fn, argument) {
    try {
      return JSON.stringify({ value: await fn(argument) });
    } catch (error) {
      return JSON.stringify({ error: { message: String(error?.message ?? error), stack: error?.stack, code: error?.code } });
    }
  },
};
