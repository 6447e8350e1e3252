/**
 * `npm start [-- --port N]`: sets up, builds, and serves the examples until Ctrl+C.
 */
import { parseArgs } from 'node:util';
import { build } from './build.mjs';
import { buildRustApp } from './rust-app.mjs';
import { startServer } from './serve.mjs';
import { BuildError, ROOT, runAsScript } from './tools.mjs';

const PORT = 8787;
const PORTS_TRIED = 20;

runAsScript(import.meta.url, async (args) => {
  const first = firstPort(args);
  await build({ rustApp: false });
  const server = await serveFrom(first);
  console.log(`\n  tabhub examples: ${server.url}/\n  (Ctrl+C stops)\n`);
  // The one example that needs a build of its own; nobody has to wait for it.
  await buildRustApp().then(() => console.log('✓ examples/rust-app'), (error) => console.error(`✗ examples/rust-app: ${error.message}`));
});

function firstPort(args) {
  const { values } = parseArgs({ args, options: { port: { type: 'string', default: String(PORT) } } });
  const port = Number(values.port);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new BuildError(`--port ${values.port}: a port is a whole number from 1 to 65535`);
  return port;
}

/** The first free port from `first` on. */
async function serveFrom(first) {
  for (let port = first; port < first + PORTS_TRIED && port <= 65_535; port++) {
    try {
      return await startServer({ root: ROOT, port });
    } catch (error) {
      if (error.code !== 'EADDRINUSE') throw error;
      console.log(`  port ${port} is taken`);
    }
  }
  throw new BuildError(`no free port among the ${PORTS_TRIED} from ${first} on; choose another with \`npm start -- --port N\``);
}
