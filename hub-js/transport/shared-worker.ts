/**
 * The environment of a browser's tab, and its port to a SharedWorker. Called by `index.ts` and `global.ts`, once per `open`.
 * Features are detected, never user agents.
 */
import type { Connection, Environment, Receiver } from '../environment.js';

export function browserEnvironment(): Environment {
  return {
    connect,
    locks: globalThis.navigator?.locks ?? null,
    missing: missing(),
    baseUrl: globalThis.document?.baseURI ?? globalThis.location?.href,
    uuid: () => crypto.randomUUID(),
    timer(ms, callback) {
      const handle = setTimeout(callback, ms);
      return () => clearTimeout(handle);
    },
    log: (database, { level, message }) => console[level](`tabhub ${database}: ${message}`),
  };
}

function missing(): string | null {
  if (globalThis.isSecureContext === false) return 'this page is no secure context; serve it over https or from localhost';
  if (typeof SharedWorker === 'undefined') return 'this browser, or this kind of worker, has no SharedWorker';
  return null;
}

function connect(url: string, workerName: string, receiver: Receiver): Connection {
  const worker = new SharedWorker(url, { name: workerName });
  const { port } = worker;
  worker.addEventListener('error', event => {
    event.preventDefault();
    receiver.loadFailed();
  });
  port.addEventListener('message', event => receiver.message(event.data));
  port.start();
  return { send: frame => port.postMessage(frame, [frame]), close: () => port.close() };
}
