// What every test page has besides tabhub: running a test's function, posting lines to the test outside the browser, and
// counting what arrives on hub ports. A classic script, first on its page; it never touches a database by itself.
globalThis.harness = (() => {
  const lines = [];
  let posting;

  /** Runs the function of a test and returns its value, or its error, as JSON text. */
  async function call(fn, argument) {
    try {
      return JSON.stringify({ value: pack(await fn(argument)) });
    } catch (error) {
      return JSON.stringify({ error: packError(error) });
    }
  }

  /** JSON has no BigInt, bytes or NaN; browser.mjs knows these three shapes. */
  function pack(value) {
    if (typeof value === 'bigint') return { $bigint: String(value) };
    if (typeof value === 'number' && !Number.isFinite(value)) return { $number: String(value) };
    if (value instanceof Uint8Array) return { $bytes: base64(value) };
    if (Array.isArray(value)) return value.map(pack);
    if (value === null || typeof value !== 'object') return value;
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, pack(item)]));
  }

  function packError(error) {
    if (!(error instanceof Error)) return { message: `not an Error: ${String(error)}` };
    const { name, message, stack, code, outcome, sqlite, sql, offset, index } = error;
    return { name, message, stack, code, outcome, sqlite, sql: sql?.slice(0, 1000), offset, index };
  }

  function base64(bytes) {
    let text = '';
    for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
    return btoa(text);
  }

  /** Tells the test outside the browser; the line survives the browser's death once the promise has resolved. */
  function post(line) {
    lines.push(line);
    return (posting ??= postAll());
  }

  /** One POST at a time; what is said meanwhile goes with the next. */
  async function postAll() {
    try {
      while (lines.length > 0) await postOnce(lines.splice(0).join('\n'));
    } finally {
      posting = undefined;
    }
  }

  /** A page that the browser put aside and shows again has lost what it was sending: it is sent again, and may arrive twice. */
  async function postOnce(body) {
    while (!(await fetch('/line', { method: 'POST', body }).then(() => true, () => false))) await sleep(50);
  }

  /** Hands bytes to the test: they are too many for the debugging protocol. */
  async function upload(name, bytes) {
    const answer = await fetch(`/upload?name=${encodeURIComponent(name)}`, { method: 'POST', body: new Blob([bytes]) });
    if (!answer.ok) throw new Error(`upload of ${name}: ${answer.status}`);
  }

  async function sha256(bytes) {
    const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
    return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
  }

  /** A query without an end. */
  const endless = 'WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n';

  const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

  /** Whether it was so within the time. */
  async function until(ms, isSo) {
    const deadline = performance.now() + ms;
    while (performance.now() < deadline) {
      if (await isSo()) return true;
      await sleep(10);
    }
    return false;
  }

  return { call, post, upload, sha256, sleep, until, endless, now: () => performance.timeOrigin + performance.now(), frames: watchPorts() };

  /**
   * Notes each frame from a hub: its kind and its size. It listens beside the client. And it has workers end with their last tab, so that one
   * test's hub is not the next one's; the page that wants the long life says `?lasting`.
   */
  function watchPorts() {
    const frames = [];
    const Original = globalThis.SharedWorker;
    if (!Original) return frames;
    const isLasting = new URLSearchParams(location.search).has('lasting');
    globalThis.SharedWorker = class extends Original {
      constructor(url, { extendedLifetime, ...options }) {
        super(url, { ...options, ...(isLasting && { extendedLifetime }) });
        this.port.addEventListener('message', ({ data }) => {
          if (data instanceof ArrayBuffer) for (const frame of framesOf(data)) frames.push({ kind: kindOf(frame), bytes: frame.byteLength });
        });
      }
    };
    return frames;
  }

  /** A message is a frame, or a bundle of several (hub-js/protocol.ts). */
  function framesOf(message) {
    const view = new DataView(message);
    if (view.getUint32(0, true) !== 0) return [new Uint8Array(message)];
    const padded = (length) => Math.ceil(length / 8) * 8;
    const count = view.getUint32(4, true);
    let at = padded(8 + count * 4);
    return Array.from({ length: count }, (_, index) => {
      const frame = new Uint8Array(message, at, view.getUint32(8 + index * 4, true));
      at += padded(frame.length);
      return frame;
    });
  }

  function kindOf({ buffer, byteOffset }) {
    const length = new DataView(buffer).getUint32(byteOffset, true);
    const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, byteOffset + 4, length)));
    return Object.keys(header.body)[0];
  }
})();
