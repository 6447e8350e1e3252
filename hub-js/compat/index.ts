/**
 * The API of the project that tabhub grew from: `tabhub/compat`. Change the import line, and what was written for it runs, in every tab, with tabhub's guarantees:
 * each tab may write, and what was awaited is durable.
 *
 * @module tabhub/compat
 * @example
 * import init, { Database, MultiTabDatabase } from 'tabhub/compat';
 * await init();
 * const db = await Database.newDatabase('app.db');
 * await db.execute("INSERT INTO user (name) VALUES ('Ada')");
 */
export { HubError } from '../index.js';
export { default, Database } from './database.js';
export type { LeaderInfo } from './leadership.js';
export { MultiTabDatabase, type MultiTabOptions, type Params } from './multi-tab.js';
export type { ColumnValue, QueryResult, Row } from './values.js';
