// What a page without a bundler does with tabhub, by itself and under the page's own policy. global.test.mjs reads
// `outcome`; the page never reports success where something threw.
const violations = [];
document.addEventListener('securitypolicyviolation', (event) => violations.push(`${event.effectiveDirective} ${event.blockedURI}`));

const facts = () => ({ isolated: crossOriginIsolated, violations });

async function write() {
  globalThis.db = await tabhub.open('plain.db');
  await db.exec(`
    CREATE TABLE task (id INTEGER PRIMARY KEY, title TEXT NOT NULL, done INTEGER NOT NULL DEFAULT 0);
    INSERT INTO task (title, done) VALUES ('milk', 0), ('bread', 1);`);
  const { rows } = await db.query('SELECT id, title, done FROM task WHERE id <= :last ORDER BY id', { last: 10 });
  const moved = await db.transaction(async (tx) => {
    await tx.run("UPDATE task SET title = title || '!'");
    await tx.run("UPDATE task SET title = rtrim(title, '!')");
    return (await tx.get('SELECT count(*) AS n FROM task')).n;
  });
  const rolledBack = await db
    .transaction(async (tx) => {
      await tx.run('DELETE FROM task');
      throw new Error('no thanks');
    })
    .catch((error) => error.message);
  const { count } = await db.get('SELECT count(*) AS count FROM task');
  return { ...facts(), rows, moved, rolledBack, count };
}

async function read() {
  globalThis.db = await tabhub.open('plain.db');
  const rows = await db.sql`SELECT title FROM task WHERE id < ${100} ORDER BY title`;
  await db.run("INSERT INTO task (title) VALUES ('from the reader')");
  const { mode, persistence } = db.status;
  return { ...facts(), titles: rows.map((row) => row.title), mode, persistence };
}

globalThis.outcome = new URLSearchParams(location.search).get('role') === 'writer' ? write() : read();
