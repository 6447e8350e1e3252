/**
 * Rows streamed with back-pressure: the hub sends two chunks, then one for each that was consumed. Called by `client.ts`.
 */
import { BlockReader, ValueBlock } from './codec.js';
import { expect } from './exchange.js';
import { KNOWN, checkOptions, wireTimeout, type RowOptions } from './options.js';
import type { Column } from './protocol.js';
import { checkSql } from './queries.js';
import { readRows } from './rows.js';
import type { Session } from './session.js';
import { checkParams, type Params } from './values.js';

/** Nothing is sent before the first row is asked for; leaving the loop stops the hub's cursor. */
export async function* iterateRows<Row>(session: Session, sql: string, params?: Params, options?: RowOptions): AsyncGenerator<Row, void, undefined> {
  const { signal, timeout, rowMode, bigint = 'auto' } = checkOptions(options, KNOWN.rows, 'iterate');
  const { shape, values } = checkParams(params, { sql: checkSql(sql, 'iterate') });
  const about = { what: 'iterate', sql, signal, timeout, writes: false, stream: true };
  const exchange = session.exchange({ iterate: { sql, params: shape, ...wireTimeout(timeout) } }, [new ValueBlock(values)], about);
  let columns: Column[] = [];
  try {
    for (;;) {
      const reply = await exchange.next();
      const chunk = expect('chunk', reply, about);
      columns = chunk.columns ?? columns;
      yield* readRows<Row>(columns, chunk.rows, new BlockReader(reply.payload, bigint), rowMode);
      if (chunk.end) return;
      exchange.pull();
    }
  } finally {
    exchange.abandon();
  }
}
