// The stress of fibers.test.mjs: a database ten times its cache, queries whose results never change, and around them work that
// changes everything else. It reports what differed; what is too much, the test says.
import { randomOf } from './random.mjs';

export const DATABASE = 'stress.db';
export const CACHE_BYTES = 1 << 20;
export const ACCOUNTS = { sum: 500_000, n: 500 };

const BUILD_MS = 60_000;
const SERIES = (rows) => `WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < ${rows})`;

/** `t`, `u`, `edge` and `ft` are only read; `acc`, and `note` with its index `note_ft`, are written. */
const BUILD = `
  CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER, b INTEGER, txt TEXT);
  CREATE TABLE u (id INTEGER PRIMARY KEY, a INTEGER, v REAL);
  CREATE TABLE edge (src INTEGER, dst INTEGER);
  CREATE TABLE acc (id INTEGER PRIMARY KEY, bal INTEGER, pad TEXT);
  CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT);
  CREATE VIRTUAL TABLE ft USING fts5 (x);
  CREATE VIRTUAL TABLE note_ft USING fts5 (text);
  ${SERIES(30_000)} INSERT INTO t SELECT i, i * 7919 % 1000, i * 104729 % 50000, 'row ' || i || ' ' || hex(i * 31337) || ' ' || hex(zeroblob(100)) FROM c;
  ${SERIES(10_000)} INSERT INTO u SELECT i, i * 31 % 1000, i / 3.0 FROM c;
  ${SERIES(3_000)} INSERT INTO edge SELECT i, i * 2 FROM c UNION ALL SELECT i, i * 2 + 1 FROM c;
  ${SERIES(500)} INSERT INTO acc SELECT i, 1000, hex(zeroblob(200)) FROM c;
  ${SERIES(1_000)} INSERT INTO note SELECT i, 'common word' || (i % 61) || ' ' || hex(i * 7717) FROM c;
  INSERT INTO note_ft (rowid, text) SELECT id, text FROM note;
  INSERT INTO ft SELECT txt || ' word' || (a % 97) FROM t LIMIT 3000;
  CREATE INDEX t_a ON t (a, b);
  CREATE INDEX t_b ON t (b);
  CREATE INDEX edge_src ON edge (src);`;

/** Each has one possible result, to the bit. */
export const QUERIES = {
  'a walk through a graph': `WITH RECURSIVE w (n, d) AS (SELECT 1, 0 UNION SELECT e.dst, d + 1 FROM w JOIN edge e ON e.src = w.n WHERE d < 12)
    SELECT count(*), sum(n), max(d) FROM w`,
  'a join with groups': 'SELECT t.a, count(*), sum(u.v) FROM t JOIN u ON u.a = t.a WHERE t.b < 100 GROUP BY t.a ORDER BY 3 DESC, 1 LIMIT 50',
  'an order by text with an offset': 'SELECT id, txt FROM t WHERE id BETWEEN 4000 AND 8000 ORDER BY txt DESC LIMIT 100 OFFSET 1000',
  'distinct and like': "SELECT DISTINCT a, b % 10 FROM t NOT INDEXED WHERE id BETWEEN 20000 AND 25000 AND txt LIKE '%3738%' ORDER BY 1, 2",
  'a window': 'SELECT a, avg(b) OVER (PARTITION BY a ORDER BY id ROWS 5 PRECEDING) FROM t WHERE a < 60 ORDER BY id',
  'a full-text search': "SELECT rowid, snippet(ft, 0, '[', ']', '..', 4) FROM ft WHERE ft MATCH 'word5 OR word7*' ORDER BY rank, rowid LIMIT 40",
  'correlated subqueries': `SELECT (SELECT max(b) FROM t x WHERE x.a = u.a), u.id FROM u
    WHERE u.id % 23 = 0 AND EXISTS (SELECT 1 FROM t y WHERE y.a = u.a AND y.b > 40000) ORDER BY u.id`,
  'a mandelbrot set': `WITH RECURSIVE xs (x) AS (SELECT -2.0 UNION ALL SELECT x + 0.1 FROM xs WHERE x < 1), ys (y) AS (SELECT -1.0 UNION ALL SELECT y + 0.1 FROM ys WHERE y < 1),
    m (x, y, i, zx, zy) AS (SELECT x, y, 0, 0.0, 0.0 FROM xs, ys UNION ALL SELECT x, y, i + 1, zx * zx - zy * zy + x, 2 * zx * zy + y FROM m WHERE zx * zx + zy * zy < 4 AND i < 28)
    SELECT x, y, max(i) FROM m GROUP BY x, y`,
  'rows as JSON': "SELECT json_group_array(json_object('i', id, 't', txt)) FROM (SELECT * FROM t WHERE a BETWEEN 100 AND 101 ORDER BY b, id)",
};

/** A tab with the database open in a hub that runs as `parameters` of its worker's URL say. */
export function open(world, parameters, cacheBytes = CACHE_BYTES) {
  return world.tab(DATABASE, { options: { workerUrl: `/dist/hub.js?${new URLSearchParams(parameters)}`, cacheBytes } });
}

export async function build(tab) {
  await tab.run(({ sql, timeout }) => db.exec(sql, { timeout }), { sql: BUILD, timeout: BUILD_MS }, BUILD_MS);
}

/** The rows of each query, asked one after the other. */
export const answers = (tab) =>
  tab.run(async (queries) => {
    const answers = [];
    for (const sql of queries) answers.push(await db.all(sql, [], { rowMode: 'array' }));
    return answers;
  }, Object.values(QUERIES));

/**
 * Readers, a writer and a checker, each in a tab of its own, until every reader has been through all queries `rounds` times in each of
 * its `lanes`, and the writer through its plan of `steps`. `hashes`: what each query must answer. Resolves to what was done and, as texts, what
 * was wrong; rejects where a tab never ended within `ms`.
 */
export async function stress({ writer, checker, readers }, { hashes, rounds, lanes, steps, seed, ms }) {
  const queries = Object.values(QUERIES);
  const around = [
    writer.run(write, { plan: planOf(seed, steps) }, ms),
    checker.run(check, { queries, hashes, accounts: ACCOUNTS, seed }, ms),
  ];
  const reads = readers.map((tab, at) => tab.run(read, { queries, hashes, rounds, lanes, first: at * lanes }, ms));
  try {
    await Promise.race([Promise.all(reads), Promise.all(around)]);
  } finally {
    await Promise.all([writer, checker].map((tab) => tab.run(() => void (globalThis.enough = true), null, ms).catch(() => {})));
  }
  const [written, checked, ...answered] = await Promise.all([...around, ...reads]);
  return {
    answered: answered.reduce((sum, { count }) => sum + count, 0),
    written,
    checked,
    wrong: [written, checked, ...answered].flatMap(({ wrong }) => wrong),
  };
}

/* Runs in the page. `lanes` loops at once, each through all queries, each from another one on. */
async function read({ queries, hashes, rounds, lanes, first }) {
  const wrong = [];
  let count = 0;
  const ask = async (at) => {
    const rows = await db.all(queries[at], [], { rowMode: 'array', timeout: 120_000 });
    count++;
    const hash = await harness.sha256(new TextEncoder().encode(JSON.stringify(rows)));
    if (hash !== hashes[at]) wrong.push(`query ${at}: ${rows.length} rows, ${JSON.stringify(rows).slice(0, 200)}`);
  };
  const loop = async (from) => {
    for (let n = 0; n < rounds * queries.length && wrong.length < 5; n++) {
      const at = (from + n) % queries.length;
      await ask(at).catch((error) => wrong.push(`query ${at}: ${error.code} ${error.message}`));
    }
  };
  await Promise.all(Array.from({ length: lanes }, (_, lane) => loop(first + lane)));
  return { count, wrong };
}

/* Runs in the page. Goes through the plan again and again; what has a signal may be stopped at any moment. */
async function write({ plan }) {
  globalThis.enough = false;
  const wrong = [];
  const done = {};
  let stopped = 0;
  const act = ({ script, statements, undo }, signal) => {
    if (script) return db.exec(script, { signal, timeout: 120_000 });
    const work = async (tx) => {
      for (const [sql, params] of statements) await tx.run(sql, params);
      if (undo) throw new Error('undone');
    };
    return db.transaction(work, { signal, timeout: 60_000 }).catch((error) => error.message === 'undone' || Promise.reject(error));
  };
  const step = async (what) => {
    const abort = new AbortController();
    const timer = what.stop_ms === undefined ? undefined : setTimeout(() => abort.abort(), what.stop_ms);
    try {
      await act(what, what.stop_ms === undefined ? undefined : abort.signal);
      done[what.kind] = (done[what.kind] ?? 0) + 1;
    } catch (error) {
      if (timer !== undefined && error.code === 'HUB_CANCELLED') stopped++;
      else wrong.push(`${what.kind}: ${error.code} ${error.message}`);
    } finally {
      clearTimeout(timer);
    }
  };
  for (let n = 0; (n < plan.length || !enough) && wrong.length < 5; n++) await step(plan[n % plan.length]);
  return { done, stopped, wrong };
}

/* Runs in the page. What must hold in every snapshot; and queries that are stopped in their middle, or else are right. */
async function check({ queries, hashes, accounts, seed }) {
  globalThis.enough = false;
  const wrong = [];
  const counts = { checks: 0, stopped: 0, ended: 0 };
  const invariants = async () => {
    const seen = await db.get('SELECT sum(bal) AS sum, count(*) AS n FROM acc', [], { timeout: 120_000 });
    if (JSON.stringify(seen) !== JSON.stringify(accounts)) wrong.push(`accounts: ${JSON.stringify(seen)}`);
    const index = await db.get("SELECT (SELECT count(*) FROM note) AS notes, (SELECT count(*) FROM note_ft WHERE note_ft MATCH 'common') AS found", [], { timeout: 120_000 });
    if (index.notes !== index.found || !(index.notes > 0)) wrong.push(`the full-text index: ${JSON.stringify(index)}`);
    counts.checks++;
  };
  const stopOne = async (at, ms) => {
    const abort = new AbortController();
    setTimeout(() => abort.abort(), ms);
    try {
      const rows = await db.all(queries[at], [], { rowMode: 'array', signal: abort.signal });
      const hash = await harness.sha256(new TextEncoder().encode(JSON.stringify(rows)));
      if (hash !== hashes[at]) wrong.push(`query ${at}, not stopped in time: ${JSON.stringify(rows).slice(0, 200)}`);
      counts.ended++;
    } catch (error) {
      if (error.code !== 'HUB_CANCELLED') throw error;
      counts.stopped++;
    }
  };
  for (let n = seed; !enough && wrong.length < 5; n++) {
    const work = [invariants(), stopOne(n % queries.length, (n * 7) % 60)];
    await Promise.all(work).catch((error) => wrong.push(`checker: ${error.code} ${error.message}`));
  }
  return { ...counts, wrong };
}

/** What the writer does; its figures and its aborts follow from the seed. Every kind comes once unstopped; every step can be taken at any time. */
function planOf(seed, steps) {
  const random = randomOf(seed);
  const below = (n) => Math.floor(random() * n);
  const kinds = [transfer, addNotes, transferInside, changeNotes, defineIndex, transfer, dropNotes, transferInside, defineTable];
  const plan = Array.from({ length: steps }, (_, at) => {
    const step = kinds[at % kinds.length](below);
    return at >= kinds.length && below(4) === 0 ? { ...step, stop_ms: below(40) } : step;
  });
  plan.splice(steps >> 1, 0, { kind: 'vacuum', script: 'VACUUM' });
  return plan;
}

/** From one account to another; what is done after the savepoint is always undone. */
const transfer = (below) => ({
  kind: 'transfer',
  script: `BEGIN IMMEDIATE;
    UPDATE acc SET bal = bal - ${below(100)} WHERE id = ${1 + below(500)};
    UPDATE acc SET bal = bal + 1 WHERE id % 7 = ${below(7)};
    ROLLBACK;
    BEGIN;
    UPDATE acc SET bal = bal + CASE id % 2 WHEN 0 THEN 3 ELSE -3 END;
    SAVEPOINT s;
    UPDATE acc SET bal = bal + 7, pad = pad || 'x' WHERE id % 5 = ${below(5)};
    INSERT INTO note_ft (rowid, text) VALUES (${1_000_000 + below(1_000)}, 'common ghost');
    ROLLBACK TO s;
    RELEASE s;
    ${below(4) === 0 ? 'ROLLBACK' : 'COMMIT'};`,
});

const transferInside = (below) => {
  const amount = below(100);
  return {
    kind: 'transaction',
    undo: below(4) === 0,
    statements: [
      ['UPDATE acc SET bal = bal - ? WHERE id = ?', [amount, 1 + below(500)]],
      ['SAVEPOINT s', []],
      ['DELETE FROM acc WHERE id % 3 = 0', []],
      ['ROLLBACK TO s', []],
      ['RELEASE s', []],
      ['UPDATE acc SET bal = bal + ? WHERE id = ?', [amount, 1 + below(500)]],
    ],
  };
};

const addNotes = (below) => ({
  kind: 'notes added',
  script: `BEGIN;
    ${SERIES(40)} INSERT INTO note (text) SELECT 'common word' || (i * ${1 + below(60)} % 61) || ' ' || hex(i * ${1 + below(9_999)}) FROM c;
    INSERT INTO note_ft (rowid, text) SELECT id, text FROM note ORDER BY id DESC LIMIT 40;
    COMMIT;`,
});

const dropNotes = (below) => {
  const chosen = `SELECT id FROM note WHERE id % 61 = ${below(61)} LIMIT 40`;
  return { kind: 'notes dropped', script: `BEGIN; DELETE FROM note_ft WHERE rowid IN (${chosen}); DELETE FROM note WHERE id IN (${chosen}); COMMIT;` };
};

const changeNotes = (below) => {
  const which = below(97);
  return {
    kind: 'notes changed',
    script: `BEGIN; UPDATE note SET text = text || ' more' WHERE id % 97 = ${which};
      UPDATE note_ft SET text = (SELECT text FROM note WHERE note.id = note_ft.rowid) WHERE rowid % 97 = ${which}; COMMIT;`,
  };
};

const defineIndex = (below) => ({
  kind: 'index',
  script: below(2) === 0 ? 'CREATE INDEX IF NOT EXISTS acc_bal ON acc (bal, pad)' : 'DROP INDEX IF EXISTS acc_bal',
});

const defineTable = (below) => {
  const from = 1_000 * below(30);
  return {
    kind: 'table',
    script: `DROP TABLE IF EXISTS other; CREATE TABLE extra (n INTEGER PRIMARY KEY, text TEXT);
      INSERT INTO extra SELECT id, txt FROM t WHERE id BETWEEN ${from} AND ${from + 500};
      ALTER TABLE extra ADD COLUMN more TEXT DEFAULT 'more'; ALTER TABLE extra RENAME COLUMN text TO words; ALTER TABLE extra RENAME TO other;`,
  };
};
