/**
 * The hub's worker script, built into one classic file: a SharedWorker, or a dedicated worker that gets its ports in
 * `{ connect: port }` messages. It loads hub.wasm, starts the host (`src/web`) and hands it the ports; what goes wrong here
 * (a load that fails, a panic, an uncaught error) is told to every tab. It never reads what a tab says: that is the hub's.
 */
import init, { Host } from 'tabhub-wasm';
import { startFibers, type Fibers, type Jspi } from './fibers.js';
import type { Body, Response as Reply, WireError } from './protocol.js';

/** What this file uses of a worker's global scope; `lib: DOM` knows only windows. */
interface WorkerScope {
  readonly name: string;
  readonly location: Location;
  close(): void;
  addEventListener(type: 'connect' | 'message', listener: (event: MessageEvent) => void): void;
  addEventListener(type: 'error', listener: (event: ErrorEvent) => void): void;
  addEventListener(type: 'unhandledrejection', listener: (event: PromiseRejectionEvent) => void): void;
}

/**
 * The parameters in this script's URL. `wasm` says where hub.wasm is. The others are for tests only:
 * `jspi=off`: as if the browser had no JSPI; `jspi=bare`: statements are suspended without their stack, which must go wrong;
 * `pace=SLICE_MS,STEPS`: how long a statement runs before others get their turn, and how often it looks at the clock.
 */
interface Parameters {
  wasm: string;
  jspi: Jspi;
  slice_ms: number | undefined;
  steps: number | undefined;
}

const NAME_PREFIX = 'tabhub:';
/** Less than the 10 s within which `open` promises to name what did not load. */
const ANSWER_MS = 9_000;
const LOAD_MS = 60_000;
/** How long a failed worker tells those who still come; then it ends, so that the next `open` gets a fresh one. */
const FAREWELL_MS = 1_000;

const scope = globalThis as unknown as WorkerScope;
const [seed = 0n, unique = 0n] = crypto.getRandomValues(new BigUint64Array(2));
const instance = unique.toString(36);
/** Every port that is open, whether the host has it yet or not. */
const ports = new Set<MessagePort>();
let host: Host | undefined;
let failure: WireError | undefined;

scope.addEventListener('connect', (event) => take(event.ports[0]));
scope.addEventListener('message', (event) => take(event.data?.connect));
scope.addEventListener('error', (event) => report(event.error, event.message));
scope.addEventListener('unhandledrejection', (event) => report(event.reason, String(event.reason)));
void start();

function take(port: unknown): void {
  if (!(port instanceof MessagePort)) return console.warn('tabhub: ignored a message to the worker without { connect: port }');
  ports.add(port);
  if (failure) post(port, { fatal: failure });
  else host?.connect(port);
}

async function start(): Promise<void> {
  if (!scope.name.startsWith(NAME_PREFIX)) {
    return fail('HUB_LOAD_FAILED', `${scope.location.href} must be started under the name "${NAME_PREFIX}<database>", not "${scope.name}"`, 'not-applied');
  }
  let parameters: Parameters;
  let fibers: Fibers;
  try {
    parameters = readParameters(new URL(scope.location.href));
    fibers = await loadHub(parameters);
  } catch (error) {
    return fail('HUB_LOAD_FAILED', messageOf(error), 'not-applied');
  }
  const { slice_ms, steps } = parameters;
  host = Host.start(scope.name.slice(NAME_PREFIX.length), instance, seed, fibers.suspend, slice_ms, steps, {
    panicked: (message: string) => fail('HUB_PANICKED', message, 'unknown'),
    ended: endSoon,
    closed: (port: MessagePort) => ports.delete(port),
    run: fibers.run,
    turn: fibers.turn,
  });
  for (const port of [...ports]) host.connect(port);
}

/** Throws for a value that is none: a test whose switch does nothing would pass. */
function readParameters({ href, searchParams }: URL): Parameters {
  const unfit = (name: string, what: string) => new Error(`${href}: the parameter ${name} must be ${what}`);
  const wasm = new URL(searchParams.get('wasm') ?? 'hub.wasm', href).href;
  const jspi = searchParams.get('jspi') ?? 'on';
  if (jspi !== 'on' && jspi !== 'off' && jspi !== 'bare') throw unfit('jspi', 'off or bare');
  const pace = searchParams.get('pace');
  if (pace === null) return { wasm, jspi, slice_ms: undefined, steps: undefined };
  const [, slice_ms, steps] = /^(\d+(?:\.\d+)?),([1-9]\d{0,8})$/.exec(pace) ?? [];
  if (!steps) throw unfit('pace', 'SLICE_MS,STEPS');
  return { wasm, jspi, slice_ms: Number(slice_ms), steps: Number(steps) };
}

async function loadHub({ wasm, jspi }: Parameters): Promise<Fibers> {
  try {
    const exports = await init({ module_or_path: await load(wasm) });
    return await startFibers(exports, jspi, { ran: (id) => host?.ran(id), turn: () => host?.turn() });
  } catch (error) {
    throw new Error(`the hub cannot load ${wasm}: ${messageOf(error)}`);
  }
}

async function load(url: string): Promise<WebAssembly.Module> {
  const abort = new AbortController();
  const within = (ms: number, what: string) => setTimeout(() => abort.abort(new Error(`${what} within ${ms / 1000} s`)), ms);
  const answer = within(ANSWER_MS, 'no answer');
  const whole = within(LOAD_MS, 'not loaded');
  try {
    const response = await fetch(url, { signal: abort.signal });
    clearTimeout(answer);
    if (!response.ok) throw new Error(`HTTP ${response.status} ${response.statusText}`);
    return await compile(url, response);
  } finally {
    clearTimeout(answer);
    clearTimeout(whole);
  }
}

async function compile(url: string, response: Response): Promise<WebAssembly.Module> {
  const type = response.headers.get('content-type') ?? 'of no type';
  if (/^application\/wasm$/i.test(type)) return WebAssembly.compileStreaming(response);
  const bytes = await response.arrayBuffer();
  const module = await WebAssembly.compile(bytes).catch((error: unknown) => {
    throw new Error(`what came is no WebAssembly (${type}): ${messageOf(error)}`);
  });
  tell({ log: { level: 'warn', message: `${url} is served as ${type}; as application/wasm it would compile while it loads` } });
  return module;
}

/** An error that nobody caught. */
function report(error: unknown, text: string): void {
  if (failure) return;
  if (hasCrashed(error)) return fail('HUB_PANICKED', `the hub crashed: ${text}`, 'unknown');
  tell({ log: { level: 'error', message: `uncaught in the hub's worker: ${text}` } });
}

/**
 * Whether an error escaped through WebAssembly and left the hub in an unknown state: a trap, a stack overflow. A DOMException did
 * not: it is why a request of the hub's (a lock's, say) was rejected later.
 */
function hasCrashed(error: unknown): boolean {
  if (error instanceof WebAssembly.RuntimeError) return true;
  return error instanceof Error && !(error instanceof DOMException) && /wasm-function/.test(error.stack ?? '');
}

function fail(code: string, message: string, outcome: WireError['outcome']): void {
  if (failure) return;
  failure = { code, message, outcome };
  console.error(`tabhub: ${code}: ${message}`);
  tell({ fatal: failure });
  endSoon();
}

function endSoon(): void {
  setTimeout(() => scope.close(), FAREWELL_MS);
}

function tell(body: Body): void {
  for (const port of ports) post(port, body);
}

/** A notification: a frame without payload, as `protocol.ts` draws it. */
function post(port: MessagePort, body: Body): void {
  const reply: Reply = { hub: instance, re: 0, body };
  const header = new TextEncoder().encode(JSON.stringify(reply));
  const frame = new Uint8Array(Math.ceil((4 + header.length) / 8) * 8);
  new DataView(frame.buffer).setUint32(0, header.length, true);
  frame.set(header, 4);
  port.postMessage(frame.buffer);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
