// Runs the text of the editor: picks the call of the API that fits it, and pages through long results. Called by main.js and output.js; never touches the page.
import { sizeOf } from './cells.js';
import { body, countStatements, readsOnly } from './statements.js';

/** How long a result may stand on the page before its next page is asked for. */
const CURSOR_LIFE_MS = 10 * 60_000;

/** Rows of a reading statement, taken from the hub page by page. What is not asked for is not computed. */
export class Cursor {
  #rows;
  #ahead;
  done = false;

  constructor(columns, rows) {
    this.columns = columns;
    this.#rows = rows;
  }

  /** The next rows: so many, or fewer if they are large. One more is read ahead, to know whether there is a next page. */
  async page(rowsMax, bytesMax) {
    const rows = this.#ahead ?? [];
    this.#ahead = undefined;
    let bytes = rows.reduce((sum, row) => sum + sizeOf(row), 0);
    while (!this.done) {
      const { done, value } = await this.#rows.next();
      if (done) this.done = true;
      else if (rows.length < rowsMax && bytes < bytesMax) bytes += sizeOf(rows[rows.push(value) - 1]);
      else {
        this.#ahead = [value];
        break;
      }
    }
    return { rows, bytes };
  }

  /** Frees the statement and its snapshot in the hub. */
  close() {
    return this.#rows.return();
  }
}

/**
 * → { cursor } for a statement that only reads, { result } for any other single statement, { script } for several.
 * `signal` stops it wherever it is.
 */
export async function execute(db, sql, signal) {
  if (countStatements(sql) !== 1) return { script: await db.exec(sql, { signal }) };
  if (!readsOnly(sql)) return { result: await db.query(sql, [], { signal, rowMode: 'array' }) };
  const columns = await columnsOf(db, sql, signal);
  return { cursor: new Cursor(columns, rowsOf(db, sql, signal)) };
}

/** All rows of a reading statement, as they come. */
export function rowsOf(db, sql, signal) {
  return db.iterate(sql, [], { signal, rowMode: 'array', timeout: CURSOR_LIFE_MS });
}

// What stands before the user's text in the statements below; places of errors are counted from behind it.
const COLUMNS_OF = 'SELECT * FROM (';
const PLAN = 'EXPLAIN QUERY PLAN ';
const BYTECODE = 'EXPLAIN ';

/** Names and declared types, also where there are no rows: iterate gives rows only, query with LIMIT 0 gives columns only. */
async function columnsOf(db, sql, signal) {
  try {
    return (await db.query(`${COLUMNS_OF}${body(sql)}\n) LIMIT 0`, [], { signal })).columns;
  } catch (error) {
    await explain(db, sql, signal); // Throws what is wrong with the user's own text; for an unfinished one the error above blames our bracket.
    throw error;
  }
}

/** The steps of the query plan: {id, parent, detail}. */
export function explain(db, sql, signal) {
  return db.all(PLAN + sql, [], { signal });
}

/** The program of SQLite's virtual machine, as a result. */
export function bytecode(db, sql, signal) {
  return db.query(BYTECODE + sql, [], { signal, rowMode: 'array' });
}

/** The byte in `sql`, as the user wrote it, at which an error of the calls above lies; undefined if SQLite named none. */
export function placeOf(error, sql) {
  if (error.offset === undefined) return undefined;
  const prefix = [COLUMNS_OF, PLAN, BYTECODE].find(text => error.sql.startsWith(text) && !sql.startsWith(text)) ?? '';
  return error.offset - prefix.length;
}
