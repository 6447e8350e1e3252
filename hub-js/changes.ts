/** What commits change, as they happen: `db.onChange()`. Called by `client.ts`. It outlives the hub; what the next one cannot know it says. */
import { BlockReader } from './codec.js';
import { HubError } from './errors.js';
import { tell } from './events.js';
import { expect, type Exchange } from './exchange.js';
import type { Bodies } from './protocol.js';
import type { Session } from './session.js';

/** What was done to rows. */
export type ChangeKind = 'insert' | 'update' | 'delete';

/** One table's part of a commit. */
export interface TableChange {
  /** Its name, as it was when the commit was made. */
  table: string;
  /** What was done to its rows, each kind once. */
  kinds: ChangeKind[];
  /** The rows, each once, in order. Absent for more than 1,000, for virtual tables, and for tables WITHOUT ROWID. */
  rowIds?: (number | bigint)[];
}

/** One commit, told when it is durable. */
export interface Change {
  /** Its number: commits are told in order. */
  commit: number;
  /** Whether it was made here or in another tab. */
  origin: 'this tab' | 'another';
  /** What it changed, table by table. */
  tables: TableChange[];
  /**
   * Anything may be another: the schema was changed, the database replaced, or it is not known what was changed, as after another hub has
   * taken over. `tables` is then what is known, perhaps nothing.
   */
  everything: boolean;
}

/** Which changes are listened to. */
export interface ChangeFilter {
  /** As they were named when they were made. Default: all. */
  tables?: readonly string[];
}

export function listenToChanges(session: Session, filter: ChangeFilter, callback: (change: Change) => void): () => void {
  const tables = checkFilter(filter, callback);
  let current: Exchange | undefined;
  let isOver = false;
  /** The newest commit that is known of; the first hub begins with the one that it has. */
  let known: number | undefined;

  const take = ({ answer, payload }: { answer: Bodies['changed']; payload: Uint8Array }, isFirst: boolean): void => {
    const isNew = known !== undefined && answer.commit > known;
    known = Math.max(known ?? 0, answer.commit);
    if (isFirst && !isNew) return;
    const change = isFirst ? { ...read(answer, payload), everything: true } : read(answer, payload);
    tell(() => callback(change));
  };
  const listen = async (): Promise<void> => {
    const about = { what: 'onChange', writes: false, stream: true, isPatient: true };
    const exchange = session.exchange({ changes: tables ? { tables: [...tables] } : {} }, [], about);
    current = exchange;
    for (let isFirst = true; !isOver; isFirst = false) {
      const reply = await exchange.next();
      take({ answer: expect('changed', reply, about), payload: reply.payload }, isFirst);
      // The hub tells a tab that takes nothing, as a frozen one, of no more than a few hundred commits.
      if (!isFirst) exchange.pull();
    }
  };
  const follow = async (): Promise<void> => {
    while (!isOver && !session.isOver) {
      try {
        await listen();
      } catch (error) {
        // The session's end is told by its status.
        if (!(error instanceof HubError) || error.code !== 'HUB_LOST') return;
      }
    }
  };
  void follow();
  return () => {
    isOver = true;
    current?.abandon();
  };
}

function checkFilter(filter: ChangeFilter, callback: unknown): readonly string[] | undefined {
  if (typeof callback !== 'function') throw new HubError('HUB_BAD_REQUEST', 'onChange: the listener must be a function');
  if (typeof filter !== 'object' || filter === null) throw new HubError('HUB_BAD_OPTION', 'onChange: the filter must be an object');
  const { tables, ...others } = filter;
  const [other] = Object.keys(others);
  if (other !== undefined) throw new HubError('HUB_BAD_OPTION', `onChange: there is no option '${other}'; it knows tables`);
  const isFit = tables === undefined || Array.isArray(tables) && tables.length > 0 && tables.every(table => typeof table === 'string');
  if (!isFit) throw new HubError('HUB_BAD_OPTION', "onChange: option 'tables' must be a list of names");
  return tables;
}

function read({ commit, own, schema, tables }: Bodies['changed'], payload: Uint8Array): Change {
  const ids = new BlockReader(payload, 'auto').values(tables.reduce((sum, { rows = 0 }) => sum + rows, 0)) as (number | bigint)[];
  let at = 0;
  return {
    commit,
    origin: own ? 'this tab' : 'another',
    everything: schema,
    tables: tables.map(({ table, rows, ...is }) => {
      const kinds = (['insert', 'update', 'delete'] as const).filter(kind => is[kind]);
      return rows === undefined ? { table, kinds } : { table, kinds, rowIds: ids.slice(at, at += rows) };
    }),
  };
}
