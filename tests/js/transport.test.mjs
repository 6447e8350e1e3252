/** The browser's adapter for ports, over a page of straw: how a connection is made, made again, taken away and let go. */
import assert from 'node:assert/strict';
import nodeTest from 'node:test';
import { createContext, runInContext } from 'node:vm';
import { browserEnvironment } from './client.mjs';

/** A window with what the adapter uses of one; its buffers are of its own realm. */
function createWindow(workers, refuse) {
  const listeners = new Map();
  class SharedWorker extends EventTarget {
    constructor(url, { name }) {
      super();
      if (refuse?.()) throw new Error('refused');
      this.port = Object.assign(new EventTarget(), { sent: [], start() {}, postMessage(data, transfer) { this.sent.push([data, transfer]); }, close() { this.isClosed = true; } });
      workers.push({ url, name, worker: this, port: this.port, window });
    }
  }
  const window = { SharedWorker, ArrayBuffer: runInContext('ArrayBuffer', createContext()), addEventListener: (type, listener) => listeners.set(type, listener), fire: type => listeners.get(type)() };
  return window;
}

/** A page whose windows' workers are gathered. Undone after the test. */
function createPage(t, { refuse } = {}) {
  const page = { workers: [], frames: [], events: [] };
  const main = createWindow(page.workers, refuse);
  const globals = {
    SharedWorker: main.SharedWorker,
    document: {
      createElement: kind => ({ kind, remove() { this.contentWindow = null; page.frames.splice(page.frames.indexOf(this), 1); } }),
      documentElement: { append(frame) { frame.contentWindow = createWindow(page.workers, refuse); page.frames.push(frame); } },
    },
  };
  Object.assign(globalThis, globals);
  t.after(() => Object.keys(globals).forEach(name => delete globalThis[name]));
  const receiver = { message: data => page.events.push(data), loadFailed: () => page.events.push('failed'), cut: () => page.events.push('cut') };
  page.connect = again => browserEnvironment().connect('https://x/hub.js', 'tabhub:a', receiver, again);
  return page;
}

const message = (port, data) => port.dispatchEvent(Object.assign(new Event('message'), { data }));
const nextTask = () => new Promise(resolve => setTimeout(resolve, 5));

nodeTest('a first connection is made by the page itself, another one by a hidden frame that goes with it', t => {
  const page = createPage(t);
  const first = page.connect(false);
  assert.deepEqual([page.workers.map(({ url, name }) => [url, name]), page.frames], [[['https://x/hub.js', 'tabhub:a']], []]);
  const second = page.connect(true);
  assert.deepEqual(page.frames.map(({ kind, hidden }) => [kind, hidden]), [['iframe', true]]);
  assert.equal(page.workers[1].window, page.frames[0].contentWindow);
  for (const [connection, { port }] of [[first, page.workers[0]], [second, page.workers[1]]]) {
    const frame = new ArrayBuffer(8);
    connection.send(frame);
    assert.deepEqual(port.sent, [[frame, [frame]]]);
    connection.close();
    assert.ok(port.isClosed);
  }
  assert.deepEqual(page.frames, []);
});

nodeTest("what arrives in a frame is of the page's own kinds", t => {
  const page = createPage(t);
  page.connect(true);
  const [{ port, window }] = page.workers;
  const foreign = new window.ArrayBuffer(8);
  assert.equal(foreign instanceof ArrayBuffer, false);
  for (const data of [foreign, 'from an extension', null]) message(port, data);
  assert.ok(page.events[0] instanceof ArrayBuffer);
  assert.equal(page.events[0].byteLength, 8);
  assert.deepEqual(page.events.slice(1), ['from an extension', null]);
});

nodeTest('a frame that the page removes is noticed; one that sleeps with its page is not taken for removed', async t => {
  const page = createPage(t);
  page.connect(true);
  const [frame] = page.frames;
  const window = frame.contentWindow;
  window.fire('pagehide');
  await nextTask();
  assert.deepEqual(page.events, []);
  frame.remove();
  window.fire('pagehide');
  await nextTask();
  assert.deepEqual(page.events, ['cut']);
});

nodeTest('a worker that cannot be started leaves no frame behind', t => {
  const page = createPage(t, { refuse: () => true });
  assert.throws(() => page.connect(true), /refused/);
  assert.deepEqual(page.frames, []);
});

nodeTest('an error of the worker is told, wherever it was started', t => {
  const page = createPage(t);
  for (const again of [false, true]) page.connect(again);
  for (const { worker } of page.workers) worker.dispatchEvent(new Event('error', { cancelable: true }));
  assert.deepEqual(page.events, ['failed', 'failed']);
});
