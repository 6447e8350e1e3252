/**
 * From a result's shape and its value block to the rows a caller gets. Called by `queries.ts` and `iterate.ts`.
 */
import type { BigIntMode, BlockReader } from './codec.js';
import type { RowOptions } from './options.js';
import type { Column, ResultShape } from './protocol.js';
import type { SqlValue } from './values.js';

export type { Column };

/** A row as an object, one property per column. */
export type ObjectRow = Record<string, SqlValue>;

/** What a write did. */
export interface RunResult {
  /** Rows inserted, updated or deleted. */
  changes: number;
  /** The rowid of the last row this session inserted; a bigint where a number would be wrong. */
  lastInsertRowid: number | bigint;
}

/** What a statement answered. */
export interface QueryResult<Row = ObjectRow> extends RunResult {
  /** Empty for a statement that answers none. */
  rows: Row[];
  /** Those of the rows, in order. */
  columns: Column[];
}

/** One result; `reader` stands at its value block. */
export function readResult<Row>(shape: ResultShape, reader: BlockReader, { rowMode, bigint }: RowOptions): QueryResult<Row> {
  return {
    rows: readRows(shape.columns, shape.rows, reader, rowMode),
    columns: shape.columns,
    changes: shape.changes,
    lastInsertRowid: readRowid(shape.last_insert_rowid, bigint),
  };
}

/** What each of so many runs of a statement without columns did. */
export function readEffects<Row>(times: number, reader: BlockReader, { bigint }: RowOptions): QueryResult<Row>[] {
  const values = reader.values(times * 2);
  return Array.from({ length: times }, (_, run) => {
    const rowid = values[run * 2 + 1] as number | bigint;
    return { rows: [], columns: [], changes: Number(values[run * 2]), lastInsertRowid: bigint === 'bigint' ? BigInt(rowid) : rowid };
  });
}

export function readRowid(text: string, bigint: BigIntMode = 'auto'): number | bigint {
  const number = Number(text);
  return bigint === 'number' || bigint === 'auto' && Number.isSafeInteger(number) ? number : BigInt(text);
}

/** The rows of one value block. */
export function readRows<Row>(columns: readonly Column[], rows: number, reader: BlockReader, rowMode: RowOptions['rowMode'] = 'object'): Row[] {
  const width = columns.length;
  const values = reader.values(rows * width);
  const result = new Array<Row>(rows);
  for (let row = 0; row < rows; row++) {
    const at = row * width;
    result[row] = (rowMode === 'array' ? values.slice(at, at + width) : objectRow(columns, values, at)) as Row;
  }
  return result;
}

function objectRow(columns: readonly Column[], values: readonly SqlValue[], at: number): ObjectRow {
  const row: ObjectRow = {};
  for (let column = 0; column < columns.length; column++) {
    const { name } = columns[column] as Column;
    const value = values[at + column] as SqlValue;
    // Assigning to a column of this name would set the object's prototype instead.
    if (name === '__proto__') Object.defineProperty(row, name, { value, writable: true, enumerable: true, configurable: true });
    else row[name] = value;
  }
  return row;
}
