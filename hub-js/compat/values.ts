/** Values and results as the ancestor has them: each value with its type. Called by `database.ts`. */
import { HubError, type Bindable, type QueryResult as Result, type SqlValue } from '../index.js';

/** A value with its type. Dates are ISO 8601 texts in the database and milliseconds here; integers beyond ±(2^53 − 1) are decimal texts, `BigInt`. */
export type ColumnValue =
  | { type: 'Null' }
  | { type: 'Integer'; value: number }
  | { type: 'Real'; value: number }
  | { type: 'Text'; value: string }
  | { type: 'Blob'; value: number[] }
  | { type: 'BigInt'; value: string }
  | { type: 'Date'; value: number };

/** A row of a result. */
export interface Row {
  /** In the order of the columns. */
  values: ColumnValue[];
}

/** What a statement answered; a script answers no rows. */
export interface QueryResult {
  /** Their names. */
  columns: string[];
  /** Empty for a statement that answers none. */
  rows: Row[];
  /** Rows inserted, updated or deleted. */
  affectedRows: number;
  /** Of an INSERT or REPLACE; otherwise null. */
  lastInsertId: number | bigint | null;
  /** From the call to its answer, the way to the hub included. */
  executionTimeMs: number;
}

const ISO_DATE = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z$/;
const MANY_DIGITS = /^[+-]?\d{18,}$/;

/** A parameter: a plain value, or one with its type. Throws `HUB_BAD_VALUE` for a type there is not. */
export function toBindable(param: Bindable | ColumnValue, index: number): Bindable {
  if (typeof param !== 'object' || param === null || !('type' in param)) return param;
  switch (param.type) {
    case 'Null': return null;
    case 'Integer': case 'Real': case 'Text': return param.value;
    case 'Blob': return Uint8Array.from(param.value);
    case 'Date': return new Date(param.value);
    case 'BigInt': return fitsInteger(param.value) ? BigInt(param.value) : param.value;
    default: {
      const { type } = param as { type: unknown };
      throw new HubError('HUB_BAD_VALUE', `parameter ${index + 1} has the type '${String(type)}'; there are Null, Integer, Real, Text, Blob, BigInt and Date`);
    }
  }
}

function fitsInteger(digits: string): boolean {
  return /^[+-]?\d+$/.test(digits) && BigInt.asIntN(64, BigInt(digits)) === BigInt(digits);
}

/** A value of a result that was read with `bigint: 'bigint'`, where whole numbers of REAL columns are numbers and those of INTEGER ones bigints. */
export function toColumnValue(value: SqlValue): ColumnValue {
  if (value === null) return { type: 'Null' };
  if (typeof value === 'number') return { type: 'Real', value };
  if (typeof value === 'bigint') {
    const number = Number(value);
    return Number.isSafeInteger(number) ? { type: 'Integer', value: number } : { type: 'BigInt', value: String(value) };
  }
  if (typeof value !== 'string') return { type: 'Blob', value: [...value] };
  if (ISO_DATE.test(value)) return { type: 'Date', value: Date.parse(value) };
  return MANY_DIGITS.test(value) ? { type: 'BigInt', value } : { type: 'Text', value };
}

/** The result of one statement; `ms` is what it took. */
export function toQueryResult(sql: string, { columns, rows, changes, lastInsertRowid }: Result<SqlValue[]>, ms: number): QueryResult {
  const rowid = Number(lastInsertRowid);
  return {
    columns: columns.map(({ name }) => name),
    rows: rows.map(values => ({ values: values.map(toColumnValue) })),
    affectedRows: changes,
    lastInsertId: /^\s*(?:insert|replace)\b/i.test(sql) ? Number.isSafeInteger(rowid) ? rowid : BigInt(lastInsertRowid) : null,
    executionTimeMs: ms,
  };
}
