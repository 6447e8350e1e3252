// The task list as data: every SQL statement of this example. Called by main.js, count.js and writer.js; never touches the page.
import { open } from '/dist/tabhub.js';

// IF NOT EXISTS and OR IGNORE make it safe for every tab to run this when it opens: whichever comes first wins.
// `written` has no UNIQUE: a number that was written twice must be there twice, to be seen.
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
  INSERT OR IGNORE INTO counter VALUES ('shared', 0);
  CREATE TABLE IF NOT EXISTS written (series TEXT NOT NULL, number INTEGER NOT NULL);
  CREATE INDEX IF NOT EXISTS written_by_series ON written (series, number);`;

const WHERE = { all: '', open: 'WHERE done = 0', done: 'WHERE done = 1' };

// Of the numbers that were acknowledged of each series, 1 to n, every single one is looked for.
const COMPARE = `
  SELECT (SELECT count(*) FROM written) AS stored,
    (SELECT count(*) FROM (SELECT DISTINCT series, number FROM written)) AS different,
    (SELECT count(*) FROM (SELECT DISTINCT series, number FROM json_each(?) JOIN written ON series = key AND number BETWEEN 1 AND value)) AS kept`;

export class Tasks {
  /** Opens the database; `tab` is the number that this tab got on an earlier load, if any. `mode`: where the hub is to run, if it is not there yet. */
  static async open(tab, mode) {
    const db = await open('tasks.db', { mode, workerUrl: new URL('hub.js', import.meta.url), wasmUrl: '/dist/hub.wasm' });
    await db.exec(SCHEMA);
    const isKnown = await db.get('SELECT id FROM tab WHERE id = ?', [tab]);
    if (isKnown && await claim(tab)) return new Tasks(db, tab);
    const { lastInsertRowid } = await db.run('INSERT INTO tab DEFAULT VALUES');
    await claim(lastInsertRowid);
    return new Tasks(db, lastInsertRowid);
  }

  constructor(db, tab) {
    this.db = db;
    this.tab = tab;
  }

  /** The newest `limit` tasks, as they are now and whenever a tab has changed them. */
  newest(filter, limit) {
    return this.db.live(`SELECT id, title, done, writer FROM task ${WHERE[filter]} ORDER BY id DESC LIMIT ?`, [limit]);
  }

  totals() {
    return this.db.live('SELECT count(*) AS "all", count(*) FILTER (WHERE done = 0) AS open, count(*) FILTER (WHERE done = 1) AS done FROM task');
  }

  counter() {
    return this.db.live(`SELECT value, (SELECT sum(steps) FROM tab) AS steps, (SELECT count(*) FROM tab WHERE steps > 0) AS tabs FROM counter WHERE name = 'shared'`);
  }

  add(title) {
    return this.db.run('INSERT INTO task (title, writer) VALUES (?, ?)', [title, this.tab]);
  }

  /** Sends `n` INSERTs without waiting in between: the hub stores the ones that arrive together as one group. */
  async addMany(n) {
    const { hub } = this.db.status;
    const before = await this.db.metrics();
    const start = performance.now();
    await Promise.all(Array.from({ length: n }, (_, i) => this.add(`Task ${i + 1} of ${n}, written by tab ${this.tab}`)));
    const seconds = (performance.now() - start) / 1000;
    const after = await this.db.metrics();
    // A hub counts from its own start.
    const groups = hub === this.db.status.hub ? after.groups - before.groups : undefined;
    return { n, seconds, groups };
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

  /** One read-modify-write: no other tab's write can come between the read and the write. If the hub dies within, nothing was applied, and it is run again. */
  step() {
    return this.db.transaction(async tx => {
      const { value } = await tx.get(`SELECT value FROM counter WHERE name = 'shared'`);
      await tx.run(`UPDATE counter SET value = ? WHERE name = 'shared'`, [value + 1]);
      await tx.run('UPDATE tab SET steps = steps + 1 WHERE id = ?', [this.tab]);
    }, { retries: 3 });
  }

  /** Writes the next number of a series. */
  record(series, number) {
    return this.db.run('INSERT INTO written VALUES (?, ?)', [series, number]);
  }

  async isRecorded(series, number) {
    return await this.db.get('SELECT 1 FROM written WHERE series = ? AND number = ?', [series, number]) !== undefined;
  }

  /** `acknowledged`: the last number of each series. Answers how many rows are stored, how many different ones, and how many of the acknowledged ones. */
  compare(acknowledged) {
    return this.db.get(COMPARE, [JSON.stringify(acknowledged)]);
  }

  forgetRecords() {
    return this.db.run('DELETE FROM written');
  }
}

/** Takes the number for as long as this page lives. It may be another's: a duplicated tab begins with a copy of what its original remembered. */
export function claim(tab) {
  return new Promise(resolve => {
    // A page that is loaded anew may find it held by itself for a moment.
    navigator.locks.request(`tasks.db:tab:${tab}`, { signal: AbortSignal.timeout(1_000) }, () => {
      resolve(true);
      return new Promise(() => {});
    }).catch(() => resolve(false));
  });
}
