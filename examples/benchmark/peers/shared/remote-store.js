/**
 * A store in a dedicated worker of ours, for engines that bring no protocol of their own: one message each way per call. Its other half is
 * serve-store.js. Rows travel as arrays, which cost less to copy than objects.
 */
import { grouped } from './grouped.js';

/** Starts the worker and has it open the database. `beforeOpen(worker)`: what a peer wants to do with a fresh worker. */
export async function remoteStore(url, name, options, beforeOpen) {
  const worker = new Worker(url, { type: 'module' });
  beforeOpen?.(worker);
  const call = caller(worker, url);
  await call('open', [name, options]);
  return {
    exec: (sql) => call('exec', [sql]),
    run: (sql, params) => call('run', [sql, params]),
    batch: (statements) => call('batch', [grouped(statements)]),
    all: async (sql, params) => objects(await call('all', [sql, params])),
    async close() {
      await call('close', []);
      worker.terminate();
    },
  };
}

function caller(worker, url) {
  const waiting = new Map();
  let last = 0;
  const settle = (id) => {
    const promise = waiting.get(id);
    waiting.delete(id);
    return promise;
  };
  worker.addEventListener('message', ({ data }) => {
    // A peer's own messages go past here too.
    if (!waiting.has(data.call)) return;
    if (data.error) settle(data.call).reject(new Error(data.error));
    else settle(data.call).resolve(data.value);
  });
  worker.addEventListener('error', ({ message }) => {
    for (const id of waiting.keys()) settle(id).reject(new Error(`the worker ${url} failed: ${message ?? 'it could not be loaded'}`));
  });
  return (method, args) => new Promise((resolve, reject) => {
    waiting.set(++last, { resolve, reject });
    worker.postMessage({ call: last, method, args });
  });
}

export function objects({ columns, rows }) {
  return rows.map((row) => {
    const object = {};
    for (let at = 0; at < columns.length; at++) object[columns[at]] = row[at];
    return object;
  });
}
