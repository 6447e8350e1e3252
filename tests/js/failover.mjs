/** What the tests of a lost hub have in common: a hub that dies, the next one's answers, what each was sent and what the tab saw. */
import { done, noRows, settle } from './world.mjs';

/** Lets the hub die, adds to the script for the next one, and waits until that has been sent everything. */
export async function fail(world, script = {}) {
  Object.assign(world.script, script);
  world.hub.die();
  await settle();
}

/** What a hub was sent, in order: `[id, kind, its SQL, target or transaction]`. */
export const sent = hub => hub.received.map(({ id, op, kind }) => [id, kind, op[kind].sql ?? op[kind].target ?? op[kind].tx]);

/** Gathers each state that the tab is told of, with its hub. */
export function states(db) {
  const seen = [];
  db.on('status', ({ state, hub }) => seen.push(`${state} ${hub}`));
  return seen;
}

/** Scripts: answers to statements, and to all that a transaction needs. */
export const answer = { query: ({ id }, hub) => hub.reply(id, noRows, [[]]), exec: ({ id }, hub) => hub.reply(id, done) };
export const TRANSACTION = {
  ...answer, begin: ({ id }, hub) => hub.reply(id, { begun: { tx: 5 } }), commit: ({ id }, hub) => hub.reply(id, done), rollback: ({ id }, hub) => hub.reply(id, done),
};
