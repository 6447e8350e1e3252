/**
 * A hub as the protocol wants it, small enough to be plainly right: it carries out one request at a time when told, says one reply
 * when told, and what it stored outlives it. Its faults can be switched on, to see whether a checker notices. For
 * exactly-once.test.mjs.
 */
import { done, noRows } from './world.mjs';

const rows = last => ({ rows: { ...noRows.rows, changes: 1, last_insert_rowid: String(last) } });

/** What every hub of one world shares: the database, and the table of what was answered. */
export class Model {
  /** The texts of what was applied, in order; the work of a transaction is one. */
  applied = [];
  /** Broken promises of the client, as sentences. */
  complaints = [];
  #replies = new Map();
  #answered = 0;
  #seen = 0;
  #lastTx = 0;

  constructor({ forgets = false, reverses = false } = {}) { Object.assign(this, { forgets, reverses }); }

  /** For `createWorld`: each kind of request, as a hub takes it in. */
  get script() {
    const queued = ['query', 'exec', 'batch', 'begin', 'commit', 'rollback'];
    return {
      hello: (request, hub) => this.#hello(request, hub),
      cancel: ({ op }, hub) => this.#cancel(op.cancel.target, hub),
      ...Object.fromEntries(queued.map(kind => [kind, (request, hub) => this.#take(request, hub)])),
    };
  }

  /** Carries out the first request that waits, and keeps its reply back. */
  step(hub) {
    const request = hub.queue?.shift();
    if (request) hub.kept.push([request.id, ...this.#carryOut(request, hub)]);
  }

  /** Says the first reply that was kept back. */
  say(hub) {
    const reply = hub.kept?.shift();
    if (reply) hub.reply(...reply);
  }

  #hello(request, hub) {
    Object.assign(hub, { queue: [], kept: [], transactions: new Map(), lastId: 0, resume: request.op.hello.resume });
    const { last = 0 } = hub.resume ?? {};
    if (this.#seen > last) this.complaints.push(`write ${this.#seen} was sent, hello says that ${last} was the last`);
    hub.welcome(request);
  }

  #take(request, hub) {
    const { id, write, answered = 0 } = request;
    if (id <= hub.lastId) return void this.complaints.push(`id ${id} after ${hub.lastId}`);
    hub.lastId = id;
    this.#seen = Math.max(this.#seen, write ?? 0);
    this.#answered = Math.max(this.#answered, answered);
    for (const number of this.#replies.keys()) if (number <= this.#answered) this.#replies.delete(number);
    if (write <= this.#answered) this.complaints.push(`write ${write} is sent after it was said to be answered`);
    const stored = this.forgets ? undefined : this.#replies.get(write);
    if (stored) hub.kept.push([id, ...stored]);
    else if (this.reverses) hub.queue.unshift(request);
    else hub.queue.push(request);
  }

  #cancel(target, hub) {
    const at = hub.queue.findIndex(({ id }) => id === target);
    if (at >= 0) hub.kept.push([hub.queue.splice(at, 1)[0].id, { error: { code: 'HUB_CANCELLED', message: 'stopped', outcome: 'not-applied' } }]);
  }

  #carryOut({ op, kind, write }, hub) {
    const { tx } = op[kind];
    if (kind === 'begin') return [{ begun: { tx: this.#begin(hub) } }];
    if (tx !== undefined && !hub.transactions.has(tx)) return [{ error: { code: 'HUB_TRANSACTION_LOST', message: `${tx} is not open`, outcome: 'not-applied' } }];
    const text = textOf(op, kind);
    if (kind === 'rollback') hub.transactions.delete(tx);
    else if (kind === 'commit') this.#apply(this.#end(hub, tx));
    else if (tx !== undefined) hub.transactions.get(tx).push(text);
    else if (write !== undefined) this.#apply(text);
    const reply = replyTo(kind, this.applied.length);
    if (write !== undefined) this.#replies.set(write, reply);
    return reply;
  }

  /** Numbers are the database's, not the hub's: else a commit could meet another transaction. */
  #begin(hub) {
    this.#lastTx += 1;
    hub.transactions.set(this.#lastTx, []);
    return this.#lastTx;
  }

  #end(hub, tx) {
    const texts = hub.transactions.get(tx);
    hub.transactions.delete(tx);
    return texts.join('; ');
  }

  #apply(text) { this.applied.push(text); }
}

const textOf = (op, kind) => kind === 'batch' ? op.batch.statements[0].sql : op[kind].sql;

function replyTo(kind, last) {
  if (kind === 'query') return [rows(last), [[]]];
  if (kind === 'batch') return [{ results: { results: [rows(last).rows] } }, [[]]];
  return [{ done: { ...done.done, last_insert_rowid: String(last) } }];
}
