/** What runs in the page. Each travels as source text, so it sees only its argument, `db`, `tabhub` and `harness`. */

export const nothing = (ms) => harness.sleep(ms);

export async function openHere({ name, options }) {
  globalThis.db = await tabhub.open(name, options);
}

/** 1000 rows of a kilobyte a megabyte. */
export async function fill({ mb, part }) {
  await db.exec('CREATE TABLE item (id INTEGER PRIMARY KEY, body BLOB NOT NULL)');
  for (let done = 0; done < mb; done += part) {
    const rows = Math.min(part, mb - done) * 1000;
    await db.exec(`WITH RECURSIVE p (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM p WHERE n < ${rows}) INSERT INTO item (body) SELECT randomblob(1000) FROM p`);
  }
}

/**
 * Point reads by key, one after the other, for so long: the time of each in ms. After each one message to a worker that does nothing but
 * answer: what the machine alone makes such a message wait.
 */
export async function readPoints({ rows, ms }) {
  const { port } = new SharedWorker('data:text/javascript,onconnect = ({ ports: [port] }) => { port.onmessage = ({ data }) => port.postMessage(data); }');
  const echo = () => new Promise((resolve) => {
    port.onmessage = resolve;
    port.postMessage(0);
  });
  await echo();
  const times = { reads: [], echoes: [] };
  const timed = async (into, work) => {
    const begun = performance.now();
    await work();
    into.push(Math.round((performance.now() - begun) * 100) / 100);
  };
  for (const end = performance.now() + ms; performance.now() < end; ) {
    const id = 1 + Math.floor(Math.random() * rows);
    await timed(times.reads, () => db.get('SELECT body FROM item WHERE id = ?', [id], { timeout: 600_000 }));
    await timed(times.echoes, echo);
  }
  return times;
}

/** Runs the query again and again until so much time is over; how long the first took. */
export async function queryFor({ sql, params, ms }) {
  const begun = performance.now();
  let first;
  while (performance.now() < begun + ms) {
    await db.query(sql, params, { timeout: 600_000 });
    first ??= performance.now() - begun;
  }
  return first;
}

/** How long one query takes, what came of it, and the hub's figures afterwards. */
export async function timeQuery({ sql, params = [] }) {
  const begun = performance.now();
  const outcome = await db.query(sql, params, { timeout: 600_000 }).then(({ rows }) => ({ rows: rows.length }), ({ code, message }) => ({ code, message }));
  const ms = performance.now() - begun;
  return { ms, ...outcome, one: (await db.get('SELECT 1 AS one')).one, metrics: await db.metrics() };
}

export async function openAndRead({ name, id, options }) {
  const begun = performance.now();
  globalThis.db = await tabhub.open(name, options);
  const open = performance.now() - begun;
  await db.get('SELECT body FROM item WHERE id = ?', [id]);
  return { open, row: performance.now() - begun, metrics: await db.metrics() };
}

/** The control: what IndexedDB alone takes, in a page, to open the same database and to give one value of each store, one after the other. */
export async function openAlone({ name }) {
  const done = (request) => new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  const begun = performance.now();
  const database = await done(indexedDB.open(`tabhub:${name}`));
  for (const store of database.objectStoreNames) await done(database.transaction(store).objectStore(store).getAll(null, 1));
  database.close();
  return performance.now() - begun;
}

/** Opens the same small database once for each worker URL; the later functions alternate between them. */
export async function openSeveral({ urls, rows }) {
  globalThis.several = [];
  for (const [at, workerUrl] of urls.entries()) {
    const each = await tabhub.open(`several-${at}.db`, { workerUrl });
    await each.exec(`CREATE TABLE IF NOT EXISTS item (id INTEGER PRIMARY KEY, body BLOB NOT NULL);
      WITH RECURSIVE p (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM p WHERE n < ${rows}) INSERT OR REPLACE INTO item SELECT n, randomblob(1000) FROM p`);
    several.push(each);
  }
}

/** Rounds of so many point reads in each database by turns: ms a round and database. */
export async function alternateReads({ rounds, reads, rows }) {
  const times = several.map(() => []);
  for (let round = -1; round < rounds; round++) {
    for (const [at, each] of several.entries()) {
      const begun = performance.now();
      for (let n = 0; n < reads; n++) await each.get('SELECT body FROM item WHERE id = ?', [1 + ((n * 7919) % rows)]);
      if (round >= 0) times[at].push(performance.now() - begun);
    }
  }
  return times;
}

/** The same with one query. */
export async function alternateQueries({ rounds, sql, params = [] }) {
  const times = several.map(() => []);
  for (let round = -1; round < rounds; round++) {
    for (const [at, each] of several.entries()) {
      const begun = performance.now();
      await each.query(sql, params, { timeout: 600_000 });
      if (round >= 0) times[at].push(performance.now() - begun);
    }
  }
  return times;
}

/** Four reads in five of the first fiftieth of the rows, the fifth of any; the same ones each time. */
export async function mixedReads({ rows, reads }) {
  let state = 12345;
  const next = (below) => (state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0) % below;
  const begun = performance.now();
  for (let n = 0; n < reads; n++) {
    const id = 1 + next(next(1000) < 800 ? Math.ceil(rows / 50) : rows);
    await db.get('SELECT body FROM item WHERE id = ?', [id]);
  }
  return performance.now() - begun;
}

/** What IndexedDB gives at most: every group value, so many at a time, so many requests under way; bytes and ms. */
export async function readRaw({ groups: each, under_way }) {
  const [{ name }] = (await indexedDB.databases()).filter(({ name }) => name.includes('figures.db'));
  const promise = (request) => new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  const idb = await promise(indexedDB.open(name));
  const keys = await promise(idb.transaction('groups').objectStore('groups').getAllKeys());
  let [at, bytes] = [0, 0];
  const begun = performance.now();
  const loop = async () => {
    while (at < keys.length) {
      const range = IDBKeyRange.bound(keys[at], keys[Math.min((at += each), keys.length) - 1]);
      for (const value of await promise(idb.transaction('groups').objectStore('groups').getAll(range))) bytes += value.byteLength;
    }
  };
  await Promise.all(Array.from({ length: under_way }, loop));
  idb.close();
  return { bytes, ms: performance.now() - begun };
}
