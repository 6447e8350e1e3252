/**
 * The hub's worker script, built into one classic file: a SharedWorker, or a dedicated worker that gets its ports in
 * `{ connect: port }` messages. It makes sure that no other worker has the database (`ownership.ts`), loads hub.wasm, starts the host
 * (`src/web`) and hands it the ports, those of tabs that come over BroadcastChannel too (`transport/switchboard.ts`); what goes wrong here
 * (a load that fails, a panic, an uncaught error) is told to every tab. It never reads what a tab asks of the hub.
 */
import { Host, initSync } from 'tabhub-wasm';
import { deleteStorage } from './stored.js';
import { startFibers, type Fibers, type Jspi } from './fibers.js';
import { hold } from './hold.js';
import { loadModule, messageOf } from './loading.js';
import { Ownership } from './ownership.js';
import { FAREWELL_MS, databaseOf, hubLock, type Body, type Response as Reply, type WireError } from './protocol.js';
import { channelOf } from './transport/channel.js';
import { readMessage, type Message } from './transport/messages.js';
import { Switchboard } from './transport/switchboard.js';
import { ABOUT } from './version.js';

/** What this file uses of a worker's global scope; `lib: DOM` knows only windows. */
interface WorkerScope {
  readonly name: string;
  readonly location: Location;
  /** A dedicated worker's only: to the page that started it. */
  postMessage?(message: Message): void;
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

/** How often the tabs are shown a sign of life until there is a hub. */
const STARTING_MS = 1_000;
/** How often the page that hosts this worker is woken: its own timers may be throttled. */
const TICK_MS = 400;
/**
 * The longest that an owner of the database may be silent; where it cannot suspend a statement, nearly as long as a tab looks for a hub: the
 * tabs that come from it have waited before.
 */
const PATIENCE_MS = { yields: 3_000, runs: 25_000 };

const scope = globalThis as unknown as WorkerScope;
const { navigator: { locks } } = globalThis as { navigator: Partial<Pick<Navigator, 'locks'>> };
const [seed = 0n, unique = 0n] = crypto.getRandomValues(new BigUint64Array(2));
const instance = unique.toString(36);
/** Every port that is open, whether the host has it yet or not, by its number. */
const ports = new Map<number, MessagePort>();
let lastPort = 0;
let parameters: Parameters | undefined;
let ownership: Ownership | undefined;
let switchboard: Switchboard | undefined;
let isStarting = false;
let isOver = false;
let host: Host | undefined;
let failure: WireError | undefined;

scope.addEventListener('connect', (event) => take(event.ports[0]));
scope.addEventListener('message', (event) => readMessage(event.data)?.tabhub === 'end' ? leave() : take(event.data?.connect));
scope.addEventListener('error', (event) => report(event.error, event.message));
scope.addEventListener('unhandledrejection', (event) => report(event.reason, String(event.reason)));
if (scope.postMessage) setInterval(() => scope.postMessage?.({ tabhub: 'tick' }), TICK_MS);
void start();

function take(port: unknown): void {
  if (!(port instanceof MessagePort)) return console.warn('tabhub: ignored a message to the worker without { connect: port }');
  const id = ++lastPort;
  ports.set(id, port);
  if (failure) return post(port, { fatal: failure });
  showLife(port);
  if (host) listen(host, id, port);
  else void start();
}

/** Begins to deliver; what waited in the port comes first. */
function listen(host: Host, id: number, port: MessagePort): void {
  host.connect(id);
  port.onmessage = ({ data }) => {
    if (data instanceof ArrayBuffer) return host.message(id, new Uint8Array(data));
    const message = readMessage(data);
    if (message?.tabhub === 'ping') port.postMessage({ tabhub: 'pong', hub: instance });
    else if (!message) console.warn('tabhub: ignored a message that is not a frame (an ArrayBuffer); is another script using the hub\'s port?');
  };
}

/** Posts what lies in the host's memory. Transferred whatever its size: in Chromium that is never slower than a copy, and twice as fast from 16 KiB on. */
function send(id: number, message: Uint8Array): void {
  const { buffer } = message.slice();
  try {
    ports.get(id)?.postMessage(buffer, [buffer]);
  } catch (error) {
    console.warn(`tabhub: a message of ${message.length} bytes could not be posted: ${messageOf(error)}`);
  }
}

/** What was posted before is still delivered. */
function close(id: number): void {
  const port = ports.get(id);
  if (!port) return;
  ports.delete(id);
  port.onmessage = null;
  port.close();
  switchboard?.closed(port);
}

function gone(port: MessagePort): void {
  for (const [id, open] of ports) {
    if (open === port) host?.gone(id);
  }
}

function showLife(port: MessagePort): void {
  port.postMessage({ tabhub: 'starting', hub: instance, yields: yields() });
}

/** Whether a long statement can be suspended to answer others. */
function yields(): boolean {
  return Boolean(WebAssembly.Suspending) && parameters?.jspi !== 'off';
}

/** Until there is a hub here, or the ports have been led to where there is one. Whoever comes later starts it once more. */
async function start(): Promise<void> {
  if (isStarting || failure) return;
  isStarting = true;
  const life = setInterval(() => ports.forEach(showLife), STARTING_MS);
  try {
    const database = databaseOf(scope.name);
    if (database === undefined) throw new Error(`${scope.location.href} must be started by the tabhub script of its own version, not under the name "${scope.name}"`);
    parameters = readParameters(new URL(scope.location.href));
    ports.forEach(showLife);
    ownership ??= makeOwnership(database);
    const owner = await ownership.take();
    if (owner !== undefined) leadAway(owner);
    else await startHub(database, parameters);
  } catch (error) {
    fail('HUB_LOAD_FAILED', messageOf(error), 'not-applied');
  } finally {
    clearInterval(life);
    isStarting = false;
  }
}

function openChannel(name: string): BroadcastChannel {
  return new BroadcastChannel(name);
}

function makeOwnership(database: string): Ownership {
  return new Ownership({
    database,
    hub: instance,
    about: ABOUT,
    locks,
    channel: typeof BroadcastChannel === 'undefined' ? undefined : openChannel(channelOf(database)),
    patienceMs: yields() ? PATIENCE_MS.yields : PATIENCE_MS.runs,
    onAsked: () => host ? host.finish() : fail('HUB_REPLACED', 'a newer version of tabhub takes over this database', 'not-applied'),
    onStolen: () => fail('HUB_FENCED', 'this hub was silent for so long that another one took its place', 'unknown'),
  });
}

/** The page that hosts this worker wants it no more. What has failed ends by itself, once it has told all tabs. */
function leave(): void {
  if (isOver) return;
  ownership?.release();
  scope.close();
}

function leadAway(hub: string): void {
  const away: Message = { tabhub: 'elsewhere', hub };
  for (const port of ports.values()) port.postMessage(away);
  ports.clear();
  scope.postMessage?.(away);
}

async function startHub(database: string, parameters: Parameters): Promise<void> {
  // By its release the tabs learn that this worker is dead.
  if (locks) await hold(locks, hubLock(database, instance), {});
  else console.warn('tabhub: no Web Locks here, so the hub does not notice at once when a tab dies, nor the tabs when the hub does');
  if (typeof BroadcastChannel !== 'undefined') {
    switchboard = new Switchboard({ database, hub: instance, about: ABOUT, hasLocks: Boolean(locks), channel: openChannel, accept: take, gone });
  }
  scope.postMessage?.({ tabhub: 'hosting', hub: instance });
  const fibers = await loadHub(parameters);
  const { slice_ms, steps } = parameters;
  host = Host.start(database, instance, seed, fibers.suspend, slice_ms, steps, {
    panicked: (message: string) => fail('HUB_PANICKED', message, 'unknown'),
    ended: endSoon,
    send,
    close,
    destroy: () => void destroy(database),
    run: fibers.run,
    turn: fibers.turn,
  });
  for (const [id, port] of ports) listen(host, id, port);
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
    const module = await loadModule(wasm, message => tell({ log: { level: 'warn', message } }));
    return await startFibers(initSync({ module }), jspi, { ran: (id) => host?.ran(id), turn: () => host?.turn() });
  } catch (error) {
    throw new Error(`the hub cannot load ${wasm}: ${messageOf(error)}`);
  }
}

/** The host has let go of its storage. */
async function destroy(database: string): Promise<void> {
  try {
    await deleteStorage(database);
    fail('HUB_DELETED', 'the database was deleted; open it again to begin a new one', 'not-applied');
  } catch (error) {
    fail('HUB_STORAGE', messageOf(error), 'unknown');
  }
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

/** The hub is over: the next one may have the database at once, and those who still come are told for a while. */
function endSoon(): void {
  isOver = true;
  switchboard?.retire();
  ownership?.release();
  setTimeout(() => {
    switchboard?.close();
    scope.postMessage?.({ tabhub: 'ended' });
    scope.close();
  }, FAREWELL_MS);
}

function tell(body: Body): void {
  for (const port of ports.values()) post(port, body);
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
