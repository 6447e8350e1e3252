// The task list as data: every SQL statement of this example. Called by main.js; never touches the page.
import { open } from '/dist/tabhub.js';

// IF NOT EXISTS and OR IGNORE make it safe for every tab to run this when it opens: whichever comes first wins.
const SCHEMA = `
  CREATE TABLE IF NOT EXISTS tab (id INTEGER PRIMARY KEY, steps INTEGER NOT NULL DEFAULT 0);
  CREATE TABLE IF NOT EXISTS task (
    id INTEGER PRIMARY KEY,
    title TEXT NOT NULL CHECK (length(trim(title)) BETWEEN 1 AND 200),
    done INTEGER NOT NULL DEFAULT 0 CHECK (done IN (0, 1)),
    writer INTEGER NOT NULL REFERENCES tab (id)
  );
  CREATE INDEX IF NOT EXISTS task_by_done ON task (done, id);
  CREATE TABLE IF NOT EXISTS counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
  INSERT OR IGNORE INTO counter VALUES ('shared', 0);`;

const WHERE = { all: '', open: 'WHERE done = 0', done: 'WHERE done = 1' };

export class Tasks {
  /** Opens the database; `tab` is the number that this tab got on an earlier load, if any. `mode`: where the hub is to run, if it is not there yet. */
  static async open(tab, mode) {
    const db = await open('tasks.db', { mode });
    await db.exec(SCHEMA);
    const known = await db.get('SELECT id FROM tab WHERE id = ?', [tab]);
    const { lastInsertRowid } = known ? { lastInsertRowid: known.id } : await db.run('INSERT INTO tab DEFAULT VALUES');
    return new Tasks(db, Number(lastInsertRowid));
  }

  constructor(db, tab) {
    this.db = db;
    this.tab = tab;
  }

  add(title) {
    return this.db.run('INSERT INTO task (title, writer) VALUES (?, ?)', [title, this.tab]);
  }

  /** Sends `n` INSERTs without waiting in between: the hub stores the ones that arrive together as one group. */
  async addMany(n) {
    const before = await this.db.metrics();
    const start = performance.now();
    await Promise.all(Array.from({ length: n }, (_, i) => this.add(`Task ${i + 1} of ${n}, written by tab ${this.tab}`)));
    const seconds = (performance.now() - start) / 1000;
    const after = await this.db.metrics();
    return { n, seconds, groups: after.groups - before.groups };
  }

  /** False if the task is gone: another tab may have deleted it. */
  async rename(id, title) {
    return (await this.db.run('UPDATE task SET title = ?, writer = ? WHERE id = ?', [title, this.tab, id])).changes === 1;
  }

  async tick(id, done) {
    return (await this.db.run('UPDATE task SET done = ?, writer = ? WHERE id = ?', [done, this.tab, id])).changes === 1;
  }

  remove(id) {
    return this.db.run('DELETE FROM task WHERE id = ?', [id]);
  }

  removeDone() {
    return this.db.run('DELETE FROM task WHERE done = 1');
  }

  /** One read-modify-write: no other tab's write can come between the read and the write. */
  step() {
    return this.db.transaction(async tx => {
      const { value } = await tx.get(`SELECT value FROM counter WHERE name = 'shared'`);
      await tx.run(`UPDATE counter SET value = ? WHERE name = 'shared'`, [value + 1]);
      await tx.run('UPDATE tab SET steps = steps + 1 WHERE id = ?', [this.tab]);
    });
  }

  /** What the page shows, read as one snapshot: the counts cannot disagree with the list. */
  async snapshot(filter, limit) {
    const [tasks, totals, counter] = await this.db.batch([
      [`SELECT id, title, done, writer FROM task ${WHERE[filter]} ORDER BY id DESC LIMIT ?`, [limit]],
      'SELECT count(*) AS "all", count(*) FILTER (WHERE done = 0) AS open, count(*) FILTER (WHERE done = 1) AS done FROM task',
      `SELECT value, (SELECT sum(steps) FROM tab) AS steps, (SELECT count(*) FROM tab WHERE steps > 0) AS tabs FROM counter WHERE name = 'shared'`,
    ]);
    return { tasks: tasks.rows, totals: totals.rows[0], counter: counter.rows[0] };
  }
}
