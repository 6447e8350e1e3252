/**
 * A world for the client: scripted hubs, each behind a real MessageChannel, Web Locks, a clock that only moves when told. Hubs die when
 * told; the next connection finds the next hub. The client in it is the real one.
 */
import nodeTest from 'node:test';
import { MessageChannel } from 'node:worker_threads';
import { FORMAT, FRAME_BYTES_MAX, HubError, openDatabase, PROTOCOL_VERSION } from './client.mjs';
import { framesOf, readBlocks, readRequest, responseFrame } from './wire.mjs';

const WAIT_MS = 2_000;
/** See `pulse.ts`. */
export const PULSE_MS = 2_500;

/** node's test with a deadline: what hangs is a failure, not a runner that stands still. */
export const test = (name, body) => nodeTest(name, { timeout: 10_000 }, body);

/** Fails with `what` unless `promise` settles in time. */
export function within(promise, what) {
  let timer;
  const late = new Promise((_, reject) => { timer = setTimeout(() => reject(new Error(`waited ${WAIT_MS} ms for ${what}`)), WAIT_MS); });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** A call that a test looks at later: its rejection until then is not one that nobody handles. */
export const later = promise => { promise.catch(() => {}); return promise; };

/** Lets everything that is under way on the channels arrive. */
export const settle = async () => { for (let turn = 0; turn < 6; turn++) await new Promise(resolve => setImmediate(resolve)); };

/** Web Locks as far as they are used here: exclusive and shared, queued in order, abortable while queued, only if available, stolen. */
export class FakeLocks {
  #queues = new Map();

  request = (name, ...rest) => {
    const callback = rest.at(-1);
    const { mode = 'exclusive', signal, ifAvailable, steal } = rest.length > 1 ? rest[0] : {};
    return new Promise((resolve, reject) => {
      const queue = this.#queues.get(name) ?? this.#queues.set(name, []).get(name);
      const entry = { mode, held: false, resolve, reject, callback };
      if (steal) for (const other of queue.filter(({ held }) => held)) this.#rob(name, other);
      queue[steal ? 'unshift' : 'push'](entry);
      if (ifAvailable) queueMicrotask(() => queueMicrotask(() => {
        if (entry.held) return;
        this.#remove(name, entry);
        Promise.resolve(callback(null)).then(resolve, reject);
      }));
      signal?.addEventListener('abort', () => {
        if (!entry.held) { this.#remove(name, entry); reject(signal.reason); }
      });
      queueMicrotask(() => this.#grant(name));
    });
  };

  isHeld = name => (this.#queues.get(name) ?? []).some(entry => entry.held);
  waiting = name => (this.#queues.get(name) ?? []).filter(entry => !entry.held).length;
  names = () => [...this.#queues].filter(([, queue]) => queue.length > 0).map(([name]) => name);

  #grant(name) {
    const queue = this.#queues.get(name);
    for (const entry of queue) {
      if (entry.held) continue;
      if (queue.some(other => other.held && (other.mode === 'exclusive' || entry.mode === 'exclusive'))) break;
      entry.held = true;
      Promise.resolve(entry.callback({ name })).then(entry.resolve, entry.reject).finally(() => this.#remove(name, entry));
    }
  }

  #rob(name, entry) {
    this.#queues.get(name).splice(this.#queues.get(name).indexOf(entry), 1);
    entry.reject(new DOMException('stolen', 'AbortError'));
  }

  #remove(name, entry) {
    const queue = this.#queues.get(name);
    if (!queue.includes(entry)) return;
    queue.splice(queue.indexOf(entry), 1);
    this.#grant(name);
  }
}

/** A hub that answers by script: `{ query: (request, hub) => … }`. What has no script is only recorded. */
export class FakeHub {
  received = [];
  isDead = false;
  #waiting = [];
  #release = () => {};

  constructor(port, locks, script, instance) {
    Object.assign(this, { port, locks, script, instance });
    port.on('message', data => this.#receive(data));
  }

  /** Ends without a word: what comes is not heard, what it would say is not said, its lock is released. */
  die() {
    this.isDead = true;
    this.#release();
  }

  reply(re, body, blocks = []) {
    const frame = responseFrame({ hub: this.instance, re, body }, blocks);
    this.post(frame.buffer.slice(frame.byteOffset, frame.byteOffset + frame.byteLength));
  }

  post(data) { if (!this.isDead) this.port.postMessage(data); }

  fail(re, code, outcome = 'not-applied', message = code) { this.reply(re, { error: { code, message, outcome } }); }

  /** The next request of `kind` that no one has taken yet. */
  take(kind) {
    const index = this.received.findIndex(request => kind in request.op);
    if (index >= 0) return Promise.resolve(this.received.splice(index, 1)[0]);
    return within(new Promise(resolve => this.#waiting.push({ kind, resolve })), `a '${kind}' request`);
  }

  has(kind) { return this.received.some(request => kind in request.op); }

  welcome({ id }, about = {}) {
    this.locks?.request(`tabhub:app.db:hub:${this.instance}`, () => this.isDead ? undefined : new Promise(release => { this.#release = release; }));
    this.reply(id, { welcome: { protocol: PROTOCOL_VERSION, format: FORMAT, version: '0.1.0', sqlite: '3.53.4', persistence: 'indexeddb', epoch: 6 + Number(/\d+$/.exec(this.instance) ?? 2), commit: 40, storage: 'ok', ...about } });
  }

  #receive(data) {
    if (this.isDead) return;
    if (data?.tabhub === 'ping') return this.isWedged ? undefined : this.post({ tabhub: 'pong', hub: this.instance });
    for (const frame of framesOf(data)) this.#take(frame);
  }

  #take(frame) {
    const request = readRequest(frame);
    request.kind = Object.keys(request.op)[0];
    Object.defineProperty(request, 'blocks', { get: () => readBlocks(request.payload) });
    this.script[request.kind]?.(request, this);
    const waiting = this.#waiting.findIndex(({ kind }) => kind === request.kind);
    if (waiting >= 0) this.#waiting.splice(waiting, 1)[0].resolve(request);
    else this.received.push(request);
  }
}

/** As much of localStorage as is used. */
export function createStorage() {
  const items = new Map();
  return { getItem: key => items.get(key) ?? null, setItem: (key, value) => { items.set(key, value); } };
}

const DEFAULT_SCRIPT = {
  hello: (request, hub) => hub.welcome(request),
  close: ({ id }, hub) => hub.reply(id, { done: { changes: 0, last_insert_rowid: '0' } }),
};

/**
 * An environment with its hubs: `hub-1` is there from the start, each further connection makes one more, and `world.hub` is the newest.
 * They share `world.script`. `open()` opens the database in it. `t` is node's test context: it takes the world down.
 */
export function createWorld(t, script = {}, { locks = new FakeLocks(), ...overrides } = {}) {
  const timers = new Set();
  const listeners = new Set();
  const world = { locks, logs: [], measures: [], hubs: [], connects: [], script: { ...DEFAULT_SCRIPT, ...script } };
  const ports = [];
  let isOver = false;
  t.after(() => { isOver = true; for (const port of [...ports, ...world.hubs.map(hub => hub.port)]) port.close(); });
  const addHub = () => {
    const { port1, port2 } = new MessageChannel();
    ports.push(port1);
    world.hub = new FakeHub(port2, locks, world.script, `hub-${ports.length}`);
    world.hubs.push(world.hub);
    // A client that looks for a hub after its test would keep the process alive.
    if (isOver) { port1.close(); port2.close(); }
  };
  addHub();
  world.env = {
    connect(url, workerName, receiver) {
      if (world.connects.length === ports.length) addHub();
      const port = ports[world.connects.length];
      world.connects.push({ url, workerName });
      Object.assign(world, { receiver, portClosed: undefined });
      port.on('message', data => receiver.message(data));
      return {
        send: message => port.postMessage(message, message.byteLength > FRAME_BYTES_MAX ? [message] : []),
        ping: () => port.postMessage({ tabhub: 'ping' }),
        close: () => { if (world.receiver === receiver) world.portClosed = true; port.close(); },
      };
    },
    channel: null,
    locks,
    storage: createStorage(),
    page: { isVisible: true, listen(listener) { listeners.add(listener); return () => listeners.delete(listener); } },
    missing: null,
    baseUrl: 'https://app.example/page/',
    uuid: () => 'client-1',
    now: () => world.now,
    timer(ms, callback) {
      const entry = { at: world.now + ms, ms, callback };
      timers.add(entry);
      return () => timers.delete(entry);
    },
    measure(name, detail) { const entry = { name, detail, isOver: false }; world.measures.push(entry); return () => { entry.isOver = true; }; },
    log: (database, event) => world.logs.push({ database, ...event }),
    ...overrides,
  };
  world.now = 0;
  /** What befalls the page. */
  world.page = event => listeners.forEach(listener => listener(event));
  /** Timers that are set, but for the one that asks for signs of life: it is left to itself. */
  world.deadlines = () => [...timers].filter(({ ms }) => ms !== PULSE_MS).length;
  world.advance = ms => {
    world.now += ms;
    for (const entry of [...timers]) if (entry.at <= world.now && timers.delete(entry)) entry.callback();
  };
  world.open = options => within(openDatabase(world.env, { workerUrl: 'https://app.example/lib/hub.js' }, 'app.db', options), 'open');
  return world;
}

/** Asserts that `promise` rejects with a HubError of `code`, in time, and answers it. */
export async function rejects(promise, code, outcome = 'not-applied') {
  const error = await within(Promise.resolve(promise).then(value => { throw new Error(`resolved with ${JSON.stringify(value)} instead of ${code}`); }, thrown => thrown), code);
  if (!(error instanceof HubError) || error.code !== code || error.outcome !== outcome) {
    throw new Error(`expected ${code} (${outcome}), got ${error.code} (${error.outcome})`, { cause: error });
  }
  return error;
}

/** The body of a result without rows. */
export const noRows = { rows: { columns: [], rows: 0, changes: 0, last_insert_rowid: '0' } };
export const done = { done: { changes: 0, last_insert_rowid: '0' } };
