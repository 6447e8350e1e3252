// The line to the pages of a browser that has no debugging protocol: each page connects from inside, through pages/agent.js, to
// a WebSocket server here. Only webkit.mjs calls it. It never opens a page, and never waits with a deadline of its own.
import { EventEmitter, once } from 'node:events';
import { readFileSync } from 'node:fs';
import { WebSocketServer } from 'ws';

const HOST = '127.0.0.1';
const SCRIPT = readFileSync(new URL('./pages/agent.js', import.meta.url), 'utf8');

/** The address of a page with nothing but an agent. A site of its own: a hub may run in any process of the hub's own site. */
export const BLANK = `data:text/html,${encodeURIComponent(`<!doctype html><title>agent</title><script>${SCRIPT}</script>`)}`;

/**
 * `add()` makes the agent of one more page, which is not there yet. WebSockets, because WebKit opens six connections to a server:
 * the long polls of six tabs would leave none for their answers.
 */
export async function startAgents() {
  const agents = [];
  const server = new WebSocketServer({ host: HOST, port: 0, perMessageDeflate: false, maxPayload: 1 << 30 });
  server.on('connection', (socket, { url }) => agents[Number(url.slice(1))].connect(socket));
  await once(server, 'listening');
  return {
    add() {
      const agent = new Agent(`ws://${HOST}:${server.address().port}/${agents.length}`);
      agents.push(agent);
      return agent;
    },
    close() {
      for (const socket of server.clients) socket.terminate();
      server.close();
    },
  };
}

/** One page, whatever documents it shows. Events: `load` of a document, and `gone` when the page has left one. */
class Agent extends EventEmitter {
  lines = [];
  #address;
  #socket;
  #pending = new Map();
  #lastId = 0;

  constructor(address) {
    super();
    this.#address = address;
  }

  get isThere() {
    return this.#socket !== undefined;
  }

  /** The address at which a page has this agent. A fragment: no server sees it, and it stays through a reload. */
  at(url) {
    return `${url}#agent=${this.#address}`;
  }

  connect(socket) {
    this.#socket = socket;
    socket.on('message', (data) => this.#receive(JSON.parse(data)));
    socket.on('error', () => socket.terminate());
    socket.on('close', () => this.#leave(socket));
  }

  /** `source` must give something that JSON can carry, or a promise of it. */
  evaluate(source) {
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      if (!this.isThere) throw new Error('the page is gone, or was never there');
      this.#pending.set(id, { socket: this.#socket, resolve, reject });
      this.#socket.send(JSON.stringify({ id, source }));
    });
  }

  /** For what ends the document, which may not live to answer. */
  tell(source) {
    this.evaluate(source).catch(() => {});
  }

  #receive({ id, value, error, line, loaded }) {
    if (loaded) return this.emit('load');
    if (line !== undefined) return this.lines.push(line);
    const call = this.#pending.get(id);
    this.#pending.delete(id);
    if (error === undefined) call.resolve(value);
    else call.reject(new Error(`in the page: ${error}`));
  }

  /** The next document may have connected already. */
  #leave(socket) {
    if (this.#socket === socket) this.#socket = undefined;
    for (const [id, call] of this.#pending) {
      if (call.socket !== socket) continue;
      this.#pending.delete(id);
      call.reject(new Error('the page went away before it answered'));
    }
    this.emit('gone');
  }
}
