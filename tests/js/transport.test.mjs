/** The browser's adapter, over a page of straw: how connections are made and let go, what is told of the page, and what a browser may lack. */
import assert from 'node:assert/strict';
import nodeTest from 'node:test';
import { FRAME_BYTES_MAX, browserEnvironment } from './client.mjs';

/** Sets globals of a page, and undoes it after the test. */
function pretend(t, globals) {
  const before = Object.entries(globals).map(([name]) => [name, Object.getOwnPropertyDescriptor(globalThis, name)]);
  for (const [name, value] of Object.entries(globals)) Object.defineProperty(globalThis, name, { configurable: true, ...typeof value === 'function' && value.isGetter ? { get: value } : { value } });
  t.after(() => before.forEach(([name, was]) => was ? Object.defineProperty(globalThis, name, was) : delete globalThis[name]));
}

const throwing = error => Object.assign(() => { throw error; }, { isGetter: true });

class Port extends EventTarget {
  sent = [];
  start() {}
  postMessage(...what) { this.sent.push(what); }
  close() { this.isClosed = true; }
}

/** Workers that only note how they were made. */
function pretendWorkers(t) {
  const workers = [];
  const kind = type => class extends EventTarget {
    port = new Port();
    posted = [];
    constructor(url, options) {
      super();
      workers.push(Object.assign(this, { type, url, options }));
    }
    postMessage(...what) { this.posted.push(what); }
    terminate() { this.isTerminated = true; }
  };
  pretend(t, { SharedWorker: kind('shared'), Worker: kind('dedicated') });
  return workers;
}

const receiverOf = events => ({ message: data => events.push(data), loadFailed: () => events.push('failed') });
const message = (target, data) => target.dispatchEvent(Object.assign(new Event('message'), { data }));

nodeTest('a connection to a SharedWorker asks for a long life, transfers large messages only and is closed', t => {
  const workers = pretendWorkers(t), events = [];
  for (let times = 0; times < 2; times++) {
    const connection = browserEnvironment().connect('https://x/hub.js', 'tabhub:a', receiverOf(events));
    const { url, options, port } = workers.at(-1);
    assert.deepEqual([url, options], ['https://x/hub.js', { name: 'tabhub:a', extendedLifetime: true }]);
    const [small, large] = [new ArrayBuffer(FRAME_BYTES_MAX), new ArrayBuffer(FRAME_BYTES_MAX + 8)];
    connection.send(small);
    connection.send(large);
    connection.ping();
    assert.deepEqual(port.sent, [[small, []], [large, [large]], [{ tabhub: 'ping' }]]);
    connection.close();
    assert.ok(port.isClosed);
  }
  message(workers[0].port, 'heard');
  const error = new Event('error', { cancelable: true });
  workers[0].dispatchEvent(error);
  assert.deepEqual([events, error.defaultPrevented], [['heard', 'failed'], true]);
});

nodeTest('a dedicated worker is handed ports, heard and terminated', async t => {
  const workers = pretendWorkers(t), events = [], heard = [];
  const host = browserEnvironment().start('https://x/hub.js', 'tabhub:a', receiverOf(events));
  const connection = host.connect(receiverOf(heard));
  const [worker] = workers;
  assert.deepEqual([worker.type, worker.options], ['dedicated', { name: 'tabhub:a' }]);
  const [[{ connect: port }, transfer]] = worker.posted;
  assert.deepEqual(transfer, [port]);
  port.onmessage = ({ data }) => { port.postMessage(['back', data.byteLength]); port.close(); };
  connection.send(new ArrayBuffer(8));
  while (heard.length === 0) await new Promise(resolve => setTimeout(resolve));
  assert.deepEqual(heard, [['back', 8]]);
  message(worker, { tabhub: 'tick' });
  worker.dispatchEvent(new Event('error', { cancelable: true }));
  assert.deepEqual(events, [{ tabhub: 'tick' }, 'failed']);
  host.end();
  assert.deepEqual(worker.posted.at(-1), [{ tabhub: 'end' }]);
  host.terminate();
  assert.ok(worker.isTerminated);
  connection.close();
});

nodeTest('what befalls the page is told until it is no longer wanted', t => {
  const window = new EventTarget(), document = Object.assign(new EventTarget(), { visibilityState: 'hidden', baseURI: 'https://x/' });
  pretend(t, { document, addEventListener: window.addEventListener.bind(window) });
  const { page } = browserEnvironment(), told = [];
  const stop = page.listen(event => told.push(event));
  const all = () => {
    for (const [type, persisted] of [['pagehide', true], ['pageshow', false], ['pageshow', true], ['storage']]) window.dispatchEvent(Object.assign(new Event(type), { persisted }));
    for (const type of ['freeze', 'resume', 'visibilitychange']) document.dispatchEvent(new Event(type));
  };
  all();
  stop();
  all();
  assert.deepEqual(told, ['hide', 'show', 'storage', 'freeze', 'resume', 'visibility']);
  assert.equal(page.isVisible, false);
  document.visibilityState = 'visible';
  assert.equal(page.isVisible, true);
});

nodeTest('what a browser lacks or refuses is null, and no error', t => {
  pretend(t, { BroadcastChannel: undefined, localStorage: throwing(new DOMException('private', 'SecurityError')) });
  const { connect, channel, storage } = browserEnvironment();
  assert.deepEqual([connect, channel, storage], [null, null, null]);
  pretend(t, { localStorage: { setItem: throwing(new DOMException('full', 'QuotaExceededError')) } });
  assert.equal(browserEnvironment().storage, null);
});

nodeTest('without a secure context, or without any worker, the reason is said', t => {
  pretend(t, { isSecureContext: false });
  assert.match(browserEnvironment().missing, /https/);
  pretend(t, { isSecureContext: true });
  assert.match(browserEnvironment().missing, /no workers/);
  pretendWorkers(t);
  assert.equal(browserEnvironment().missing, null);
});
