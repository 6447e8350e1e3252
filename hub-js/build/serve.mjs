/**
 * A static file server for the examples and the browser tests. `npm start` and `tests/e2e` call it.
 * It binds to 127.0.0.1 only, never caches, and never serves a file outside the folders it mounts.
 */
import { createReadStream } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, sep } from 'node:path';

const HOST = '127.0.0.1';

/** URL prefix → folder under the server's root. Nothing else is served. */
const MOUNTS = {
  '/dist/': 'dist',
  '/examples/': 'examples',
  '/data/': 'node_modules/vega-datasets/data',
};

const TYPES = {
  '.css': 'text/css; charset=utf-8',
  '.csv': 'text/csv; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.map': 'application/json; charset=utf-8',
  '.md': 'text/plain; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.ts': 'text/plain; charset=utf-8',
  '.txt': 'text/plain; charset=utf-8',
  '.wasm': 'application/wasm',
};

/**
 * Starts the server.
 * @param {object} options
 * @param {string} options.root the repository's folder
 * @param {number} [options.port] 0 (default) picks a free one; a taken port rejects with EADDRINUSE
 * @param {Record<string, string>} [options.mounts] more folders, `{ '/pages/': 'tests/e2e/pages' }`
 * @param {(request: import('node:http').IncomingMessage, response: import('node:http').ServerResponse, url: URL) => unknown} [options.hook]
 *   sees every request first. It may set headers and let the file be served, or answer itself: then it returns true.
 * @returns {Promise<{ url: string, port: number, close(): Promise<void> }>} `url` has no slash at its end
 */
export async function startServer({ root, port = 0, mounts = {}, hook }) {
  const folders = Object.entries({ ...MOUNTS, ...mounts }).map(([prefix, folder]) => ({ prefix, folder: join(root, folder) }));
  const server = createServer((request, response) => {
    answer(request, response, folders, hook).catch((error) => {
      if (response.headersSent) response.destroy(error);
      else refuse(response, 500, String(error));
    });
  });
  await new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: HOST, port, exclusive: true }, resolve);
  });
  const bound = server.address().port;
  return { url: `http://${HOST}:${bound}`, port: bound, close: () => close(server) };
}

async function answer(request, response, folders, hook) {
  const url = new URL(`http://${HOST}${request.url}`);
  response.setHeader('Cache-Control', 'no-store');
  response.setHeader('X-Content-Type-Options', 'nosniff');
  if (hook && (await hook(request, response, url)) === true) return;
  if (request.method !== 'GET' && request.method !== 'HEAD') return refuse(response, 405, 'only GET and HEAD');
  if (url.pathname === '/') return redirect(response, '/examples/');
  const file = await locate(url.pathname, folders);
  if (!file) return refuse(response, 404, `no file at ${url.pathname}`);
  if (file.isFolder) return redirect(response, `${url.pathname}/${url.search}`);
  send(request, response, file);
}

/** Finds the file of a URL path, or undefined. Symbolic links are followed first, so none leads out of its mount. */
async function locate(pathname, folders) {
  const mount = folders.find(({ prefix }) => `${pathname}/`.startsWith(prefix));
  const path = mount && decode(pathname.slice(mount.prefix.length));
  if (path === undefined) return undefined;
  const wanted = join(mount.folder, path, pathname.endsWith('/') ? 'index.html' : '');
  try {
    const [base, real] = await Promise.all([realpath(mount.folder), realpath(wanted)]);
    if (!(real + sep).startsWith(base + sep)) return undefined;
    const found = await stat(real);
    return { path: real, size: found.size, isFolder: found.isDirectory() };
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ENAMETOOLONG', 'ELOOP'].includes(error.code)) return undefined;
    throw error;
  }
}

/** The path as the file system wants it; undefined when it cannot be one (bad escapes, NUL, `..` hidden behind %2e). */
function decode(path) {
  try {
    const plain = decodeURIComponent(path);
    return plain.includes('\0') || plain.split(/[/\\]/).includes('..') ? undefined : plain;
  } catch {
    return undefined;
  }
}

function send(request, response, { path, size }) {
  response.setHeader('Content-Type', response.getHeader('Content-Type') ?? TYPES[extname(path)] ?? 'application/octet-stream');
  response.setHeader('Content-Length', size);
  if (request.method === 'HEAD') return response.end();
  createReadStream(path).on('error', (error) => response.destroy(error)).pipe(response);
}

function redirect(response, location) {
  response.writeHead(302, { Location: location }).end();
}

function refuse(response, status, reason) {
  response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8' }).end(`${status}: ${reason}\n`);
}

/** Browsers keep connections open; a server that waits for them would never close. */
function close(server) {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
