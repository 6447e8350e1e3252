// A client of WebDriver BiDi: commands with answers, and events, as JSON over one WebSocket. Only firefox.mjs calls it. It
// knows no command by name, and never waits with a deadline of its own: browser.mjs does that.
import { once } from 'node:events';
import { WebSocket } from 'ws';

export async function connectBidi(url) {
  const socket = new WebSocket(url, { perMessageDeflate: false, maxPayload: 1 << 30 });
  const bidi = new Bidi(socket);
  await once(socket, 'open');
  return bidi;
}

class Bidi {
  #socket;
  #pending = new Map();
  #listeners = new Map();
  #lastId = 0;

  constructor(socket) {
    this.#socket = socket;
    socket.on('message', (data) => this.#receive(JSON.parse(data)));
    socket.on('close', () => this.#failAll('the browser closed the connection'));
    socket.on('error', (error) => this.#failAll(error.message));
  }

  /** Resolves with the command's result; rejects with the browser's own words. */
  send(method, params = {}) {
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { method, resolve, reject });
      this.#socket.send(JSON.stringify({ id, method, params }), (error) => error && this.#failAll(error.message));
    });
  }

  /** One listener an event. */
  on(event, listener) {
    this.#listeners.set(event, listener);
  }

  close() {
    this.#socket.terminate();
  }

  #receive({ id, type, method, params, result, error, message }) {
    if (type === 'event') return this.#listeners.get(method)?.(params);
    const call = this.#pending.get(id);
    this.#pending.delete(id);
    if (type === 'success') call?.resolve(result);
    else call?.reject(new Error(`${call.method}: ${error}: ${message}`));
  }

  #failAll(why) {
    for (const { method, reject } of this.#pending.values()) reject(new Error(`${method}: ${why}`));
    this.#pending.clear();
  }
}
