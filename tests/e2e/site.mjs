// The test site: the project's own server with the test pages, the examples with the test's hand in them, the Chinook file, worker and
// wasm URLs that are broken on purpose, and two ways out of the browser (lines, uploads). It never judges what it receives.
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { startServer } from '../../hub-js/build/serve.mjs';
import { within } from './deadline.mjs';

export const ROOT = fileURLToPath(new URL('../../', import.meta.url));
/** Worker scripts of later versions stand at /release-1/hub.js and so on: the higher the number, the later. */
const VERSION = JSON.parse(readFileSync(`${ROOT}package.json`, 'utf8')).version;

/** Bodies that no hub can start from, by path. What is missing here under /broken/ answers 404. */
const BROKEN = {
  '/broken/syntax.js': ['text/javascript', 'const = this is not a script;'],
  '/broken/throws.js': ['text/javascript', 'throw new Error("thrown while loading");'],
  '/broken/mute.js': ['text/javascript', 'onconnect = () => {};'],
  '/broken/html.wasm': ['text/html', '<!doctype html><title>Sign in</title>'],
  '/broken/garbage.wasm': ['application/wasm', Buffer.from('0061736d010000000bad', 'hex')],
};

/** The real worker script with faults that a test can set off: nobody can make the real one panic from outside. */
const FAULTS = `
new BroadcastChannel('faults').onmessage = ({ data }) => {
  if (data === 'reject') void Promise.reject(new Error('a rejection nobody handled'));
  if (data === 'throw') throw new Error('an error nobody caught');
  if (data === 'trap') throw new WebAssembly.RuntimeError('unreachable');
};`;

/** Before the real worker script: counts what is asked of IndexedDB, and says it to whoever asks. */
const COUNTING = `
const counts = { readwrite: 0, readonly: 0, put: 0, get: 0, delete: 0 };
const counting = (prototype, method, figure) => {
  const original = prototype[method];
  prototype[method] = function (...rest) { counts[figure(...rest)] += 1; return original.apply(this, rest); };
};
counting(IDBDatabase.prototype, 'transaction', (stores, mode = 'readonly') => mode);
for (const method of ['put', 'get', 'delete']) counting(IDBObjectStore.prototype, method, () => method);
const channel = new BroadcastChannel('counts');
channel.onmessage = ({ data }) => { if (data === 'tell') channel.postMessage(counts); };
`;

/**
 * `headers` go with every answer, and those of `headersFor(request)` with that request's. `mounts`: more folders. The port stays the same for the site's
 * life: it is part of the origin.
 */
export async function startSite({ headers = {}, headersFor = () => ({}), mounts = {} } = {}) {
  const lines = new Lines();
  const uploads = new Map();
  const hook = async (request, response, url) => {
    // A page that says no-store is never kept aside for a way back.
    response.setHeader('Cache-Control', 'no-cache');
    for (const [name, value] of Object.entries({ ...headers, ...headersFor(request) })) response.setHeader(name, value);
    if (request.method === 'POST') return receive(request, response, url, lines, uploads);
    return answerUpload(response, url.pathname, uploads) || (await answerExample(response, url)) || (await answerWithout(response, url)) || answerBroken(response, url.pathname);
  };
  const own = { '/pages/': 'tests/e2e/pages', '/chinook/': '../shared/data/chinook' };
  const server = await startServer({ root: ROOT, mounts: { ...own, ...mounts }, hook });
  return { ...server, page: (name) => new URL(name, `${server.url}/pages/`).href, lines, uploads };
}

async function receive(request, response, url, lines, uploads) {
  const body = await buffer(request);
  if (url.pathname === '/line') lines.add(body.toString().split('\n'));
  else if (url.pathname === '/upload') uploads.set(url.searchParams.get('name'), body);
  else return false;
  response.writeHead(204).end();
  return true;
}

/** What a page uploaded can be fetched again under /uploaded/. */
function answerUpload(response, pathname, uploads) {
  const body = pathname.startsWith('/uploaded/') && uploads.get(pathname.slice('/uploaded/'.length));
  if (body) response.end(body);
  return Boolean(body);
}

/** A browser without a debugging protocol reaches a page through pages/agent.js alone, which the examples do not have by themselves. */
async function answerExample(response, { pathname }) {
  if (!/^\/examples\/[\w/-]*(\/|\.html)$/.test(pathname)) return false;
  const html = await readFile(`${ROOT}${pathname}${pathname.endsWith('/') ? 'index.html' : ''}`, 'utf8');
  response.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8' }).end(html.replace('<head>', '$&\n  <script src="/pages/agent.js"></script>'));
  return true;
}

/** The hub's script in a worker that lacks what `?without=` says. */
async function answerWithout(response, { pathname, searchParams }) {
  if (pathname !== '/dist/hub.js' || !searchParams.has('without')) return false;
  const scripts = ['tests/e2e/pages/without.js', 'dist/hub.js'].map((file) => readFile(`${ROOT}${file}`, 'utf8'));
  response.writeHead(200, { 'Content-Type': 'text/javascript' }).end((await Promise.all(scripts)).join('\n'));
  return true;
}

async function answerBroken(response, pathname) {
  if (pathname === '/broken/mime.js') {
    response.writeHead(200, { 'Content-Type': 'text/html' }).end(await readFile(`${ROOT}dist/hub.js`));
    return true;
  }
  if (pathname === '/broken/faulty.js') {
    response.writeHead(200, { 'Content-Type': 'text/javascript' }).end((await readFile(`${ROOT}dist/hub.js`, 'utf8')) + FAULTS);
    return true;
  }
  if (pathname === '/counting/hub.js') {
    response.writeHead(200, { 'Content-Type': 'text/javascript' }).end(`{${COUNTING}}\n${await readFile(`${ROOT}dist/hub.js`, 'utf8')}`);
    return true;
  }
  const [, release] = /^\/release-(\d+)\/hub\.js$/.exec(pathname) ?? [];
  if (release) {
    response.writeHead(200, { 'Content-Type': 'text/javascript' }).end((await readFile(`${ROOT}dist/hub.js`, 'utf8')).replaceAll(`"${VERSION}"`, `"${VERSION}${release}"`));
    return true;
  }
  // The connection stays open without a byte, like a proxy that lost its upstream.
  if (pathname === '/broken/silent.wasm') return true;
  if (!(pathname in BROKEN)) return false;
  const [type, body] = BROKEN[pathname];
  response.writeHead(200, { 'Content-Type': type }).end(body);
  return true;
}

/** What the pages posted, in order of arrival. */
class Lines {
  all = [];
  #waiters = new Set();

  add(lines) {
    this.all.push(...lines);
    for (const check of this.#waiters) check();
  }

  /** Resolves in the very turn in which `enough(all)` became true. */
  async wait(ms, what, enough) {
    let check;
    const met = new Promise((resolve) => {
      check = () => enough(this.all) && resolve();
    });
    this.#waiters.add(check);
    check();
    try {
      await within(ms, what, met);
    } finally {
      this.#waiters.delete(check);
    }
  }
}
