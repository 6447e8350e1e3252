/**
 * BroadcastChannels and MessageChannels of straw, in one thread, whose messages arrive when told: late, twice, out of order, or never. What
 * happens follows from one seed.
 */
import fc from 'fast-check';
import { Switchboard, connectOverChannel } from './client.mjs';

export const ABOUT = { build: '1.4.0', protocol: 4, format: 3 };
/** Shorter than the time that a packet may be late. */
const LATE_MS = 1_000;

function randomFrom(seed) {
  let state = seed >>> 0;
  return () => {
    state = state + 0x6d2b79f5 >>> 0;
    let bits = Math.imul(state ^ state >>> 15, state | 1);
    bits ^= bits + Math.imul(bits ^ bits >>> 7, bits | 61);
    return ((bits ^ bits >>> 14) >>> 0) / 2 ** 32;
  };
}

export class Air {
  #open = new Set();
  #underWay = [];
  #now = 0;

  constructor(random = () => 0) { this.random = random; }

  channel = name => {
    const channel = {
      name, listeners: [],
      addEventListener: (_, listener) => channel.listeners.push(listener),
      postMessage: data => {
        if (!this.#open.has(channel)) throw new Error(`posted to ${name}, which is closed`);
        this.post(name, data, channel);
      },
      close: () => this.#open.delete(channel),
    };
    this.#open.add(channel);
    return channel;
  };

  /** What any script may do. */
  post(name, data, from) {
    for (const to of this.#open) if (to.name === name && to !== from) this.#underWay.push({ to, data: structuredClone(data), at: this.#now });
  }

  get names() { return [...this.#open].map(({ name }) => name).sort(); }

  /** Delivers everything, in order, but for what `isLost`. */
  settle(isLost = () => false) {
    for (let next; (next = this.#underWay.shift());) if (!isLost(next.data)) this.#arrive(next);
  }

  /** One message arrives, of those that are under way: or is lost, or will come once more. */
  stir({ losses, repeats }) {
    if (this.#underWay.length === 0) return;
    const index = Math.floor(this.random() * this.#underWay.length);
    const [message] = this.#underWay.splice(index, 1);
    if (this.random() < losses) return;
    if (this.random() < repeats) this.#underWay.push(message);
    this.#arrive({ ...message, data: structuredClone(message.data) });
  }

  /** Time passes, for the clock that `tick` moves too; nothing is under way for longer than a packet may be late. */
  pass(ms, tick) {
    this.#now += ms;
    const late = ({ at }) => this.#now - at > LATE_MS;
    for (let index; (index = this.#underWay.findIndex(late)) >= 0;) this.#arrive(this.#underWay.splice(index, 1)[0]);
    tick(ms);
  }

  #arrive({ to, data }) {
    if (this.#open.has(to)) for (const listener of to.listeners) listener({ data });
  }
}

/** A MessageChannel that delivers at once. */
export class FakeMessageChannel {
  constructor() {
    const make = () => ({ isClosed: false, onmessage: null, close() { this.isClosed = true; } });
    this.port1 = make();
    this.port2 = make();
    for (const [from, to] of [[this.port1, this.port2], [this.port2, this.port1]]) {
      from.postMessage = (data, transfer = []) => { if (!from.isClosed && !to.isClosed) to.onmessage?.({ data: structuredClone(data, { transfer }) }); };
    }
  }
}

const SIZES = [0, 1, 8, 100, 1_000, 5_000, 262_144, 300_000];

function frameOf(random, number) {
  const kinds = random() < 0.05 ? SIZES.length : SIZES.length - 2;
  const bytes = new Uint8Array(SIZES[Math.floor(random() * kinds)]).fill(number);
  for (let at = 1_000; at < bytes.length; at += 1_000) bytes[at] = at / 1_000;
  return bytes.buffer;
}

/** What nobody who knows the protocol says. */
export const NOISE = [
  'hello', 7, null, undefined, [], { tabhub: 'nothing of ours' }, { tabhub: 7 }, { tabhub: '__proto__' }, { tabhub: 'packet' }, new ArrayBuffer(8),
  { tabhub: 'packet', from: 'hub', seq: -1, more: false, bytes: new ArrayBuffer(1) }, { tabhub: 'packet', from: 'tab', seq: 0.5, more: false, bytes: new ArrayBuffer(1) },
  { tabhub: 'packet', from: 'tab', seq: 0, more: 'no', bytes: new ArrayBuffer(1) }, { tabhub: 'packet', from: 'hub', seq: 0, more: false, bytes: 'text' },
  { tabhub: 'packet', from: 'hub', seq: '0', more: false, bytes: new ArrayBuffer(1) }, { tabhub: 'packet', from: 'hub', seq: 2 ** 60, more: false, bytes: new ArrayBuffer(1) },
  { tabhub: 'packet', from: 'stranger', seq: 0, more: false, bytes: new ArrayBuffer(1) }, { tabhub: 'packet', from: 'hub', seq: 0, more: false, bytes: new Uint8Array(1) },
  { tabhub: 'packet', from: 'hub', seq: 0, more: false, bytes: new ArrayBuffer(300_000) }, { tabhub: 'packet', from: 'tab', seq: 0, more: false, bytes: new ArrayBuffer(300_000) },
  { tabhub: 'alive', from: 'hub', sent: NaN }, { tabhub: 'alive', from: 'tab', sent: Infinity }, { tabhub: 'alive', from: 'stranger', sent: 9 }, { tabhub: 'bye' }, { tabhub: 'bye', from: 'stranger' },
  { tabhub: 'connect', hub: 'hub-1' }, { tabhub: 'connect', hub: '', client: 'x' }, { tabhub: 'connect', hub: 'hub-2', client: 'other' }, { tabhub: 'connect', hub: 'hub-1', client: 7 },
  { tabhub: 'connected' }, { tabhub: 'who' }, { tabhub: 'here', hub: 'hub-9' }, { tabhub: 'yield', from: 'x', ...ABOUT }, { tabhub: 'yielding', hub: 'hub-9' },
];

/** A tab and a hub that talk through air that is not to be trusted. Answers what went wrong; null for nothing. */
export function converse({ seed, steps, losses, repeats }, tick) {
  const random = randomFrom(seed);
  const air = new Air(random);
  const sent = { tab: [], hub: [] }, received = { tab: [], hub: [] }, ports = [], gone = [], cuts = [];
  const options = { database: 'd', hub: 'hub-1', about: ABOUT, hasLocks: false, channel: air.channel };
  const accept = port => { ports.push(port); port.onmessage = ({ data }) => received.hub.push(data); };
  new Switchboard({ ...options, accept, gone: port => gone.push(port) });
  let answers = 0;
  const tab = connectOverChannel({ channel: air.channel, timer, uuid: () => 'tab-1' }, 'd', 'hub-1', {
    message: data => data instanceof ArrayBuffer ? received.tab.push(data) : data.tabhub === 'alive' && answers++,
    cut: why => cuts.push(why),
  });
  const say = (side, send) => { const frame = frameOf(random, sent[side].length); sent[side].push(frame.slice(0)); send(frame); };
  const acts = [
    () => cuts.length || say('tab', frame => tab.send(frame)),
    () => ports.length && !gone.length && say('hub', frame => ports[0].postMessage(frame, [frame])),
    () => air.post(random() < 0.5 ? 'tabhub:d' : 'tabhub:d:hub-1:tab-1', NOISE[Math.floor(random() * NOISE.length)]),
    () => tab.ping(),
    () => air.pass(random() * 100, tick),
    ...Array.from({ length: 8 }, () => () => air.stir({ losses, repeats })),
  ];
  for (let step = 0; step < steps; step++) acts[Math.floor(random() * acts.length)]();
  for (let round = 0; round < 10; round++) {
    air.settle();
    tab.ping();
    air.pass(500, tick);
  }
  answers = 0;
  tab.ping();
  air.settle();
  return verdict();

  function verdict() {
    for (const [from, to] of [['tab', 'hub'], ['hub', 'tab']]) {
      const [said, heard] = [sent[from], received[to]];
      const wrong = heard.findIndex((frame, index) => !said[index] || !Buffer.from(frame).equals(Buffer.from(said[index])));
      if (wrong >= 0) return `frame ${wrong} from the ${from} is not what was sent`;
      if (answers > 0 && heard.length < said.length) return `of ${said.length} frames from the ${from} ${heard.length} arrived, and nobody says so`;
    }
    if (cuts.some(why => !why) || cuts.length > 1) return `cut for ${JSON.stringify(cuts)}`;
    if (losses === 0 && (cuts.length || gone.length || answers === 0 || ports.length !== 1)) return `nothing was lost, and yet: cut for ${JSON.stringify(cuts)}, ${ports.length} ports, ${gone.length} gone`;
    tab.close();
    air.settle();
    air.pass(151_000, tick);
    if (gone.length !== ports.length) return `of ${ports.length} ports ${gone.length} are gone`;
    return air.names.length === 1 ? null : `open: ${air.names}`;
  }
}

export const timer = (ms, callback) => { const handle = setTimeout(callback, ms); return () => clearTimeout(handle); };

/** Conversations as a property that fast-check can try. `clock` is node's mocked one. */
export const conversations = (losses, clock) => fc.property(
  fc.record({ seed: fc.nat(), steps: fc.integer({ min: 20, max: 300 }), losses: fc.constant(losses), repeats: fc.constantFrom(0, 0.3) }),
  given => {
    clock.reset();
    clock.enable({ apis: ['setTimeout'] });
    const wrong = converse(given, ms => clock.tick(Math.round(ms)));
    if (wrong) throw new Error(wrong);
  },
);
