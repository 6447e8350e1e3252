/**
 * The environment of a browser's tab. Called by `index.ts` and `global.ts`, once per call of theirs. Features are detected, never user
 * agents. It decides nothing: what to do without one of them is for `transport/` to say.
 */
import { FRAME_BYTES_MAX } from './bundle.js';
import { databases, deleteStorage } from './stored.js';
import type { Connection, Environment, Host, PageEvent, Receiver } from './environment.js';
import { timer } from './timer.js';

export function browserEnvironment(): Environment {
  return {
    connect: typeof SharedWorker === 'undefined' ? null : connect,
    start,
    channel: typeof BroadcastChannel === 'undefined' ? null : name => new BroadcastChannel(name),
    locks: globalThis.navigator?.locks ?? null,
    storage: usableStorage(),
    page: { get isVisible() { return globalThis.document?.visibilityState !== 'hidden' }, listen },
    missing: missing(),
    baseUrl: globalThis.document?.baseURI ?? globalThis.location?.href,
    uuid: () => crypto.randomUUID(),
    now: () => Date.now(),
    timer,
    deleteStorage,
    databases,
    measure(name, detail) {
      const start = performance.now();
      return () => { performance.measure(name, { start, detail }); };
    },
    log: (database, { level, message }) => console[level](`tabhub ${database}: ${message}`),
  };
}

function missing(): string | null {
  if (globalThis.isSecureContext === false) return 'this page is no secure context; serve it over https or from localhost';
  if (typeof Worker === 'undefined' && typeof SharedWorker === 'undefined') return 'there are no workers, as on a server or in an old browser';
  return null;
}

/** Private modes and settings make any touch of it throw, or only a write. */
function usableStorage(): Storage | null {
  try {
    const { localStorage } = globalThis;
    localStorage.setItem('tabhub:probe', '');
    localStorage.removeItem('tabhub:probe');
    return localStorage;
  } catch {
    return null;
  }
}

function connect(url: string, name: string, receiver: Receiver): Connection {
  // The option is Chromium's, and TypeScript does not know it; others do not look at it.
  const options = { name, extendedLifetime: true };
  const worker = new SharedWorker(url, options);
  onLoadError(worker, receiver);
  return connectTo(worker.port, receiver);
}

function start(url: string, name: string, events: Pick<Receiver, 'message' | 'loadFailed'>): Host {
  const worker = new Worker(url, { name });
  onLoadError(worker, events);
  worker.addEventListener('message', ({ data }) => events.message(data));
  return {
    connect(receiver) {
      const { port1, port2 } = new MessageChannel();
      worker.postMessage({ connect: port2 }, [port2]);
      return connectTo(port1, receiver);
    },
    end: () => worker.postMessage({ tabhub: 'end' }),
    terminate: () => worker.terminate(),
  };
}

function onLoadError(worker: SharedWorker | Worker, receiver: Pick<Receiver, 'loadFailed'>): void {
  worker.addEventListener('error', event => {
    event.preventDefault();
    receiver.loadFailed();
  });
}

function connectTo(port: MessagePort, receiver: Receiver): Connection {
  port.addEventListener('message', event => receiver.message(event.data));
  port.start();
  return { send: message => port.postMessage(message, message.byteLength > FRAME_BYTES_MAX ? [message] : []), ping: () => port.postMessage({ tabhub: 'ping' }), close: () => port.close() };
}

/** `freeze` and `resume` are Chromium's. */
function listen(listener: (event: PageEvent) => void): () => void {
  const over = new AbortController();
  const on = (target: EventTarget | undefined, type: string, event: PageEvent): void => {
    target?.addEventListener(type, ({ persisted }: Partial<PageTransitionEvent>) => {
      // Every page is shown once when it is loaded.
      if (persisted !== false || event !== 'show') listener(event);
    }, { signal: over.signal });
  };
  on(globalThis, 'pagehide', 'hide');
  on(globalThis, 'pageshow', 'show');
  on(globalThis, 'storage', 'storage');
  on(globalThis.document, 'freeze', 'freeze');
  on(globalThis.document, 'resume', 'resume');
  on(globalThis.document, 'visibilitychange', 'visibility');
  return () => over.abort();
}
