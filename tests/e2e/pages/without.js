// Takes away what the address says, `?without=locks,localStorage`, as a browser that never had it or a private mode does. A classic
// script: first on its page, and in front of the hub's script too (site.mjs). It fails for what it does not know.
(() => {
  const none = (object, name) => Object.defineProperty(object, name, { value: undefined });
  const TAKE = {
    SharedWorker: () => none(globalThis, 'SharedWorker'),
    BroadcastChannel: () => none(globalThis, 'BroadcastChannel'),
    locks: () => none(navigator, 'locks'),
    indexedDB: () => none(globalThis, 'indexedDB'),
    /** As where cookies are forbidden: to look at it is an error. */
    localStorage: () => Object.defineProperty(globalThis, 'localStorage', { get: () => { throw new DOMException('The operation is insecure.', 'SecurityError') } }),
  };
  for (const name of new URLSearchParams(location.search).get('without')?.split(',') ?? []) TAKE[name]();
})();
