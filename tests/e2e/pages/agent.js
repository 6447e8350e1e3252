// The test's hand in a page of a browser that has no debugging protocol: it runs what it is sent, and tells of the page's load
// and console. A classic script, before all others. It does nothing unless the page's address names a driver (agents.mjs).
(() => {
  const address = location.hash.startsWith('#agent=') && location.hash.slice('#agent='.length);
  if (!address) return;
  let opened = connect();
  /** In the order of the calls, also of those before the connection is there. */
  const send = (message) => opened.then((socket) => socket.send(JSON.stringify(message)));

  /** Resolves to the open socket. */
  function connect() {
    const socket = new WebSocket(address);
    socket.onmessage = run;
    return new Promise((resolve) => (socket.onopen = () => resolve(socket)));
  }

  async function run({ data }) {
    const { id, source } = JSON.parse(data);
    try {
      // biome-ignore lint: indirect, so that the source sees the page's globals and nothing from here.
      send({ id, value: await (0, eval)(source) });
    } catch (error) {
      send({ id, error: String(error) });
    }
  }

  // A page that the browser kept aside and shows again has lost its connection meanwhile.
  addEventListener('pageshow', ({ persisted }) => {
    if (persisted) opened = connect();
  });

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
