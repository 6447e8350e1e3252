// The test's hand in a page of a browser that has no debugging protocol: it runs what it is sent, and tells of the page's load
// and console. A classic script, before all others. It does nothing unless the page's address names a driver (agents.mjs).
(() => {
  const address = location.hash.startsWith('#agent=') && location.hash.slice('#agent='.length);
  if (!address) return;
  const socket = new WebSocket(address);
  const opened = new Promise((resolve) => (socket.onopen = resolve));
  /** In the order of the calls, also of those before the connection is there. */
  const send = (message) => opened.then(() => socket.send(JSON.stringify(message)));

  socket.onmessage = async ({ data }) => {
    const { id, source } = JSON.parse(data);
    try {
      // Indirect: the source sees the page's globals and nothing from here.
      send({ id, value: await (0, eval)(source) });
    } catch (error) {
      send({ id, error: String(error) });
    }
  };

  for (const type of ['debug', 'log', 'info', 'warn', 'error']) {
    const original = console[type];
    console[type] = (...values) => {
      original.apply(console, values);
      send({ line: `${type}: ${values.map(String).join(' ')}` });
    };
  }
  addEventListener('error', ({ message, filename, lineno }) => send({ line: `uncaught: ${message} at ${filename}:${lineno}` }));
  addEventListener('unhandledrejection', ({ reason }) => send({ line: `uncaught: ${reason}` }));
  addEventListener('load', () => send({ loaded: true }));
})();
