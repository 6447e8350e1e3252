/**
 * The worker's half of remote-store.js: answers calls one after the other, as they came, because no engine here may be entered twice.
 * `open(name, options)` → { exec(sql), run(sql, params), batch([[sql, [params, …]], …]), all(sql, params) → { columns, rows }, close() }
 */
export function serveStore(open) {
  let store = { open: async (...args) => (store = await open(...args)) && undefined };
  let last;
  addEventListener('message', ({ data: { call, method, args } }) => {
    // A message without a call is a peer's own.
    if (call !== undefined) last = answer(last, () => store[method](...args), call);
  });
}

async function answer(before, work, call) {
  await before;
  try {
    postMessage({ call, value: await work() });
  } catch (error) {
    postMessage({ call, error: `${error?.name ?? 'Error'}: ${error?.message ?? error}` });
  }
}
