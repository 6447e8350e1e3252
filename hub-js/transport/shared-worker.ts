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

function connect(url: string, workerName: string, receiver: Receiver, again: boolean): Connection {
  if (again) return connectInFrame(url, workerName, receiver);
  const port = start(SharedWorker, url, workerName, receiver, data => data);
  return { send: frame => port.postMessage(frame, [frame]), close: () => port.close() };
}

function start(Worker: typeof SharedWorker, url: string, name: string, receiver: Receiver, adopt: (data: unknown) => unknown): MessagePort {
  const worker = new Worker(url, { name });
  worker.addEventListener('error', event => {
    event.preventDefault();
    receiver.loadFailed();
  });
  worker.port.addEventListener('message', event => receiver.message(adopt(event.data)));
  worker.port.start();
  return worker.port;
}

/**
 * Firefox gives a worker that is asked for too soon after the end of its namesake no life, only silence, and every later one of that name
 * the same, for as long as the window lives that asked. So it is asked for by a window of its own, which goes with the connection.
 */
function connectInFrame(url: string, workerName: string, receiver: Receiver): Connection {
  const frame = document.createElement('iframe');
  frame.hidden = true;
  document.documentElement.append(frame);
  const inside = frame.contentWindow as Window & typeof globalThis;
  // The page may have removed it; or the whole page goes, and then no timer fires any more.
  inside.addEventListener('pagehide', () => setTimeout(() => { if (frame.contentWindow !== inside) receiver.cut() }));
  // What arrives there is of that window's kinds.
  const adopt = (data: unknown): unknown => data instanceof inside.ArrayBuffer ? structuredClone(data, { transfer: [data] }) : data;
  try {
    const port = start(inside.SharedWorker, url, workerName, receiver, adopt);
    return { send: bytes => port.postMessage(bytes, [bytes]), close: () => { port.close(); frame.remove() } };
  } catch (error) {
    frame.remove();
    throw error;
  }
}
