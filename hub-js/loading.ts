/** Loads hub.wasm for `worker.ts`: fetches and compiles it, and names the URL in whatever goes wrong. */

/** Less than the 10 s within which `open` promises to name what did not load. */
const ANSWER_MS = 9_000;
const LOAD_MS = 60_000;

/** `warn` hears of what costs time but does no harm. */
export async function loadModule(url: string, warn: (message: string) => void): Promise<WebAssembly.Module> {
  const abort = new AbortController();
  const within = (ms: number, what: string) => setTimeout(() => abort.abort(new Error(`${what} within ${ms / 1000} s`)), ms);
  const answer = within(ANSWER_MS, 'no answer');
  const whole = within(LOAD_MS, 'not loaded');
  try {
    const response = await fetch(url, { signal: abort.signal });
    clearTimeout(answer);
    if (!response.ok) throw new Error(`HTTP ${response.status} ${response.statusText}`);
    return await compile(url, response, warn);
  } finally {
    clearTimeout(answer);
    clearTimeout(whole);
  }
}

async function compile(url: string, response: Response, warn: (message: string) => void): Promise<WebAssembly.Module> {
  const type = response.headers.get('content-type') ?? 'of no type';
  if (/^application\/wasm$/i.test(type)) return WebAssembly.compileStreaming(response);
  const bytes = await response.arrayBuffer();
  const module = await WebAssembly.compile(bytes).catch((error: unknown) => {
    throw new Error(`what came is no WebAssembly (${type}): ${messageOf(error)}`);
  });
  warn(`${url} is served as ${type}; as application/wasm it would compile while it loads`);
  return module;
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
