/** A store whose calls wait for one another, as serve-store.js has it in a worker: for engines in the page that may not be entered twice. */
export function inTurn(store) {
  let last;
  const queued = (method) => (...args) => (last = after(last, () => store[method](...args)));
  return Object.fromEntries(['exec', 'run', 'batch', 'all', 'close'].map((method) => [method, queued(method)]));
}

async function after(before, work) {
  await before?.catch(() => {});
  return work();
}
