/**
 * The calls that a database and a transaction have in common. `client.ts` and `transaction.ts` extend it; both only say how a request
 * is sent. It checks what the caller passes before anything is sent.
 */
import type { ApplyResult, Conflict } from './changesets.js';
import { BlockReader, ValueBlock, rawPart } from './codec.js';
import { HubError } from './errors.js';
import { KNOWN, checkOptions, wireTimeout, type ApplyOptions, type QueryOptions, type RowOptions, type WriteOptions } from './options.js';
import type { StatementShape } from './protocol.js';
import { readEffects, readResult, readRowid, type ObjectRow, type QueryResult, type RunResult } from './rows.js';
import type { Session } from './session.js';
import { asBytes, checkParams, isWellFormed, type Bindable, type Params, type WireValue } from './values.js';

/** One statement of a batch: its SQL, or its SQL with parameters. */
export type BatchStatement = string | readonly [sql: string, params?: Params];

/** Sends a request; rejects when its database or transaction is over. */
export type Send = Session['request'];

export abstract class Queries {
  readonly #send: Send;
  /** Names the transaction in each request; empty outside of one. */
  readonly #scope: { tx?: number };

  /** @internal */
  constructor(send: Send, scope: { tx?: number }) {
    this.#send = send;
    this.#scope = scope;
  }

  /**
   * Runs one statement.
   *
   * @typeParam Row - the row's shape, for TypeScript only: an object type, or a tuple with `rowMode: 'array'`.
   * @typeParam P - what the parameters must be, for TypeScript only.
   * @throws {HubError} SQLite's error with its code; `HUB_BAD_VALUE`, `HUB_BAD_OPTION`; `HUB_BAD_REQUEST` for several statements.
   * @example
   * const { rows, columns } = await db.query<{ id: number }>('SELECT id FROM user WHERE name = ?', ['Ada']);
   */
  async query<Row = ObjectRow, P extends Params = Params>(sql: string, params?: P, options?: QueryOptions): Promise<QueryResult<Row>> {
    const { signal, timeout, durability, ...rows } = this.#check(options, KNOWN.query, 'query');
    const { shape, values } = checkParams(params, { sql: checkSql(sql, 'query') });
    const query = { sql, params: shape, ...this.#scope, ...(durability && { durability }), ...wireTimeout(timeout) };
    const about = { what: 'query', sql, signal, timeout, writes: this.#writes(sql) };
    const { answer, payload } = await this.#send('rows', { query }, [new ValueBlock(values)], about);
    return readResult<Row>(answer, new BlockReader(payload, rows.bigint ?? 'auto'), rows);
  }

  /**
   * The rows of one statement.
   * @example const users = await db.all('SELECT * FROM user');
   */
  async all<Row = ObjectRow, P extends Params = Params>(sql: string, params?: P, options?: QueryOptions): Promise<Row[]> {
    return (await this.query<Row>(sql, params, options)).rows;
  }

  /**
   * The first row of one statement; `undefined` if there is none.
   * @example const user = await db.get('SELECT * FROM user WHERE id = :id', { id: 7 });
   */
  async get<Row = ObjectRow, P extends Params = Params>(sql: string, params?: P, options?: QueryOptions): Promise<Row | undefined> {
    return (await this.query<Row>(sql, params, options)).rows[0];
  }

  /**
   * Runs one statement for its effect. Resolves once it is durable.
   * @example const { changes } = await db.run('DELETE FROM user WHERE id = ?', [7]);
   */
  async run<P extends Params = Params>(sql: string, params?: P, options?: QueryOptions): Promise<RunResult> {
    const { changes, lastInsertRowid } = await this.query(sql, params, options);
    return { changes, lastInsertRowid };
  }

  /**
   * One statement as a template; what stands in `${}` is bound, never pasted.
   * @example const users = await db.sql`SELECT * FROM user WHERE id = ${id}`;
   */
  async sql<Row = ObjectRow>(strings: TemplateStringsArray, ...values: Bindable[]): Promise<Row[]> {
    if (!Array.isArray(strings) || !('raw' in strings)) {
      throw new HubError('HUB_BAD_REQUEST', 'sql is a template tag: write db.sql`…`, or use db.all(sql, params)');
    }
    return this.all<Row>(strings.join(' ? '), values);
  }

  /**
   * Runs many statements without parameters as one transaction: all or nothing. A script with a BEGIN and COMMIT of its own runs as SQLite would run it.
   *
   * @throws {HubError} the error of the statement that failed; `offset` is a place in the error's own `sql`.
   * @example await db.exec('CREATE TABLE a (x); CREATE TABLE b (y)');
   */
  async exec(sql: string, options?: WriteOptions): Promise<RunResult> {
    const { signal, timeout, durability } = this.#check(options, KNOWN.write, 'exec');
    const exec = { sql: checkSql(sql, 'exec'), ...this.#scope, ...(durability && { durability }), ...wireTimeout(timeout) };
    const { answer } = await this.#send('done', { exec }, [], { what: 'exec', sql, signal, timeout, writes: this.#writes(sql) });
    return { changes: answer.changes, lastInsertRowid: readRowid(answer.last_insert_rowid) };
  }

  /**
   * Runs many statements with parameters as one transaction, in one message.
   *
   * @throws {HubError} the error of the statement that failed, with its `index`; none is applied then.
   * @example await db.batch([['INSERT INTO a VALUES (?)', [1]], 'DELETE FROM b']);
   */
  async batch<Row = ObjectRow>(statements: readonly BatchStatement[], options?: QueryOptions): Promise<QueryResult<Row>[]> {
    const { signal, timeout, durability, ...rows } = this.#check(options, KNOWN.query, 'batch');
    const runs = checkBatch(statements);
    const batch = { statements: runs.map(({ shape }) => shape), ...this.#scope, ...(durability && { durability }), ...wireTimeout(timeout) };
    const blocks = runs.map(({ values }) => new ValueBlock(values));
    const { answer, payload } = await this.#send('results', { batch }, blocks, { what: 'batch', signal, timeout, writes: !('tx' in this.#scope) });
    const reader = new BlockReader(payload, rows.bigint ?? 'auto');
    return answer.results.flatMap(shape => shape.times === undefined ? readResult<Row>(shape, reader, rows) : readEffects<Row>(shape.times, reader, rows));
  }

  /**
   * Applies what another database changed: a changeset or patchset of SQLite's session extension, as one transaction.
   *
   * @throws {HubError} `HUB_CONFLICT` where a change does not fit the data; `HUB_BAD_REQUEST` where it is damaged, or its tables are others here.
   * @example for (const { changeset } of await download(since)) await db.apply(changeset, { conflict: 'replace' });
   */
  async apply(changeset: ArrayBuffer | ArrayBufferView, options?: ApplyOptions): Promise<ApplyResult> {
    const { signal, timeout, durability, conflict = 'abort' } = this.#check(options, KNOWN.apply, 'apply');
    const bytes = asBytes(changeset);
    if (!bytes) throw new HubError('HUB_BAD_VALUE', 'apply: the changeset must be an ArrayBuffer or a view of one');
    const apply = { conflict, ...this.#scope, ...(durability && { durability }), ...wireTimeout(timeout) };
    const { answer, payload } = await this.#send('rows', { apply }, [rawPart(bytes)], { what: 'apply', signal, timeout, writes: !('tx' in this.#scope) });
    const { rows: conflicts, changes } = readResult<Conflict>(answer, new BlockReader(payload, 'auto'), {});
    return { changes, conflicts };
  }

  /** Inside a transaction the commit decides the durability, so there a statement knows no such option. */
  #check<T extends RowOptions & WriteOptions>(options: T | undefined, known: typeof KNOWN.query | typeof KNOWN.write | typeof KNOWN.apply, caller: string): T {
    const { durability: _, ...inside } = known;
    return checkOptions(options, 'tx' in this.#scope ? inside : known, caller);
  }

  /** What a transaction did is gone with the hub, so there no statement is in doubt; outside, only what surely reads is not. */
  #writes(sql: string): boolean {
    return !('tx' in this.#scope) && !/^\s*(?:select|values|explain)\b/i.test(sql);
  }
}

export function checkSql(sql: unknown, caller: string): string {
  if (typeof sql !== 'string') throw new HubError('HUB_BAD_REQUEST', `${caller}: the SQL must be a string, not ${sql === null ? 'null' : typeof sql}`);
  if (!isWellFormed(sql)) throw new HubError('HUB_BAD_REQUEST', `${caller}: the SQL has half a surrogate pair, which UTF-8 cannot hold`, { sql });
  return sql;
}

/** One statement of a batch, or the same one many times, and the values of all times. */
interface Run { shape: StatementShape; values: WireValue[] }

/** Statements that follow one another with the same SQL go as one. */
function checkBatch(statements: readonly BatchStatement[]): Run[] {
  if (!Array.isArray(statements)) throw new HubError('HUB_BAD_REQUEST', 'batch: the statements must be an array of SQL strings or [sql, params] pairs');
  const runs: Run[] = [];
  // Not for…of over a sparse array's entries: a hole is `undefined` and must be refused like one.
  for (let index = 0; index < statements.length; index++) {
    const statement = (statements as readonly BatchStatement[])[index];
    const [sql, params, ...rest] = Array.isArray(statement) ? statement : [statement];
    if (rest.length > 0) throw new HubError('HUB_BAD_REQUEST', `batch: statement ${index} must be [sql, params]; put the parameters in one array`, { index });
    const last = runs[runs.length - 1];
    const text = last && sql === last.shape.sql ? last.shape.sql : checkSql(sql, `batch: statement ${index}`);
    const { shape, values } = checkParams(params, { sql: text, index });
    if (last?.shape.sql === text && !shape.names && !last.shape.params.names && shape.count === last.shape.params.count) {
      last.shape.times = (last.shape.times ?? 1) + 1;
      for (const value of values) last.values.push(value);
    } else {
      runs.push({ shape: { sql: text, params: shape }, values });
    }
  }
  return runs;
}
