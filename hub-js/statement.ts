/** Prepared statements, as a client sees them. The compiled form is the hub's: it keeps a cache by SQL text, so this is only the text. */
import type { Database } from './client.js';
import { HubError } from './errors.js';
import type { QueryOptions, RowOptions } from './options.js';
import type { ObjectRow, RunResult } from './rows.js';
import type { Params } from './values.js';

/** A statement to be run many times; see `Database.prepare`. Options are those of `query`. `Row` and `P`: the shapes of its rows and parameters, for TypeScript. */
export class Statement<Row = ObjectRow, P extends Params = Params> {
  /** The statement, as it was prepared. */
  readonly sql: string;
  readonly #database: Database;
  #finalized = false;

  /** @internal */
  constructor(database: Database, sql: string) {
    this.#database = database;
    this.sql = sql;
  }

  /** All rows. */
  async all(params?: P, options?: QueryOptions): Promise<Row[]> {
    return this.#live('all').all<Row>(this.sql, params, options);
  }

  /** The first row, or `undefined`. */
  async get(params?: P, options?: QueryOptions): Promise<Row | undefined> {
    return this.#live('get').get<Row>(this.sql, params, options);
  }

  /** Runs it for its effect. */
  async run(params?: P, options?: QueryOptions): Promise<RunResult> {
    return this.#live('run').run(this.sql, params, options);
  }

  /** Streams its rows, see `Database.iterate`. */
  iterate(params?: P, options?: RowOptions): AsyncGenerator<Row, void, undefined> {
    return this.#live('iterate').iterate<Row>(this.sql, params, options);
  }

  /** Ends its use: every later call fails with `HUB_CLOSED`. */
  finalize(): void {
    this.#finalized = true;
  }

  #live(caller: string): Database {
    if (this.#finalized) throw new HubError('HUB_CLOSED', `${caller}: the statement was finalized; prepare it again`, { sql: this.sql });
    return this.#database;
  }
}
