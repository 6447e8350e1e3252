/**
 * The way from a tab to a hub over BroadcastChannel: over real channels, and over some that lose, repeat and reorder. At stake: a frame that
 * is missing, doubled or torn is a write lost, done twice, or a wrong result; a script that posts nonsense must not be able to cause it.
 */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { ABOUT, Air, FakeMessageChannel, NOISE, conversations, timer } from './air.mjs';
import { Packer, Switchboard, Unpacker, connectOverChannel, readMessage } from './client.mjs';
import { test, within } from './world.mjs';

const RUNS = 300;
let databases = 0;

/** A hub and its tabs, over real channels unless `channel` is given. */
function createSite(t, { channel = name => new BroadcastChannel(name), hasLocks = true } = {}) {
  const site = { database: `channel-${++databases}`, ports: [], gone: [], tabs: [], open: [] };
  const track = name => { const made = channel(name); site.open.push(made); return made; };
  t.after(() => { for (const { close } of site.tabs) close(); site.switchboard?.close(); for (const made of site.open) made.close(); });
  site.spy = () => {
    const heard = [];
    track(`tabhub:${site.database}`).addEventListener('message', ({ data }) => heard.push(data));
    return heard;
  };
  site.startHub = () => {
    const accept = port => { port.received = []; port.onmessage = ({ data }) => port.received.push(data); site.ports.push(port); };
    const gone = port => { port.close(); site.gone.push(port); };
    site.switchboard = new Switchboard({ database: site.database, hub: 'hub-1', about: ABOUT, hasLocks, channel: track, accept, gone });
  };
  site.addTab = () => {
    const tab = { id: `tab-${site.tabs.length + 1}`, received: [], frames: [], cuts: [] };
    const receiver = { message: data => (data instanceof ArrayBuffer ? tab.frames : tab.received).push(data), cut: why => { tab.cuts.push(why); tab.close(); } };
    const { send, ping, close } = connectOverChannel({ channel: track, timer, uuid: () => tab.id }, site.database, 'hub-1', receiver);
    site.tabs.push(Object.assign(tab, { send, ping, close, channel: `tabhub:${site.database}:hub-1:${tab.id}` }));
    return tab;
  };
  return site;
}

/** The same over air that delivers when told, at a clock that moves when told, with one tab that is connected. */
function createStill(t, options = {}) {
  const { MessageChannel } = globalThis;
  globalThis.MessageChannel = FakeMessageChannel;
  t.after(() => { globalThis.MessageChannel = MessageChannel; });
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const air = new Air();
  const site = createSite(t, { channel: air.channel, ...options });
  site.startHub();
  const tab = site.addTab();
  air.settle();
  const pass = ms => { air.settle(); t.mock.timers.tick(ms); air.settle(); };
  return { air, site, tab, pass, port: site.ports[0] };
}

const text = value => new TextEncoder().encode(value).buffer;
const texts = frames => frames.map(frame => new TextDecoder().decode(frame));
const packet = (from, seq, value) => ({ tabhub: 'packet', from, seq, more: false, bytes: text(value) });
const until = (what, isSo) => within((async () => { while (!isSo()) await new Promise(resolve => setTimeout(resolve, 2)); })(), what);

/** Every byte depends on its place. */
function large(bytes) {
  const words = new Uint32Array(Math.ceil(bytes / 4)).map((_, index) => Math.imul(index, 2_654_435_761));
  return words.buffer.slice(0, bytes);
}

test('frames of any size arrive both ways, whole and in order, also those sent before there is a hub', async t => {
  const sizes = [0, 1, 262_143, 262_144, 262_145, 524_288, 0, 5_000_000, 3];
  const site = createSite(t);
  const tab = site.addTab();
  for (const size of sizes) tab.send(large(size));
  site.startHub();
  await until('the frames from the tab', () => site.ports[0]?.received.length === sizes.length);
  for (const size of sizes) site.ports[0].postMessage(large(size));
  await until('the frames from the hub', () => tab.frames.length === sizes.length);
  for (const frames of [site.ports[0].received, tab.frames]) {
    for (const [index, size] of sizes.entries()) assert.ok(Buffer.from(frames[index]).equals(Buffer.from(large(size))), `frame ${index} of ${size} bytes`);
  }
  assert.deepEqual(tab.cuts, []);
});

test("a tab hears only what is for it, and the channel that all share carries no frame", async t => {
  const site = createSite(t);
  const heard = site.spy();
  site.startHub();
  const tabs = [site.addTab(), site.addTab()];
  for (const tab of tabs) tab.send(text(`from ${tab.id}`));
  await until('two frames', () => site.ports.length === 2 && site.ports.every(({ received }) => received.length === 1));
  for (const port of site.ports) port.postMessage(text(texts(port.received)[0].replace('from', 'to')));
  await until('two answers', () => tabs.every(({ frames }) => frames.length === 1));
  assert.deepEqual(tabs.map(({ frames }) => texts(frames)), [['to tab-1'], ['to tab-2']]);
  assert.deepEqual([...new Set(heard.map(({ tabhub }) => tabhub))].sort(), ['connect', 'here']);
});

test('the hub says who it is, unasked and when asked, and is not to be found once it is over', t => {
  const { air, site } = createStill(t);
  const heard = site.spy();
  const ask = () => { air.post(`tabhub:${site.database}`, { tabhub: 'who', from: 'x' }); air.settle(); return heard.splice(0).filter(({ tabhub }) => tabhub === 'here'); };
  assert.deepEqual(ask(), [{ tabhub: 'here', hub: 'hub-1', ...ABOUT }]);
  site.startHub();
  air.settle();
  assert.deepEqual(heard.splice(0), [{ tabhub: 'here', hub: 'hub-1', ...ABOUT }]);
  site.switchboard.close();
  assert.equal(ask().length, 1, 'only the other is left');
});

test('a hub that is over takes nobody any more, but is still heard by those who are connected', t => {
  const { air, site, tab, port } = createStill(t);
  site.switchboard.retire();
  const late = site.addTab();
  port.postMessage(text('the last word'));
  air.settle();
  assert.equal(site.ports.length, 1);
  assert.deepEqual([texts(tab.frames), late.received], [['the last word'], []]);
});

test('a tab asks until it is answered, and is given one port however often it asked', t => {
  const { air, site, pass } = createStill(t);
  const tab = site.addTab();
  air.settle(() => true);
  assert.equal(site.ports.length, 1, 'it was not heard');
  for (let times = 0; times < 3; times++) t.mock.timers.tick(100);
  air.settle();
  assert.equal(site.ports.length, 2);
  const heard = site.spy();
  pass(1_000);
  assert.deepEqual(heard, [], 'it asks no more');
  assert.deepEqual(tab.received.map(({ tabhub }) => tabhub), ['connected', 'connected', 'connected']);
});

test('a tab that gives up before it is answered asks no more, and nothing of what it sent arrives', t => {
  const { air, site, pass } = createStill(t);
  const tab = site.addTab();
  tab.send(text('never mind'));
  tab.close();
  const heard = site.spy();
  air.settle();
  pass(1_000);
  assert.deepEqual(heard, []);
  assert.deepEqual(site.ports[1].received, []);
});

test('a tab that closes is gone for the hub, after what it said last', async t => {
  const site = createSite(t);
  site.startHub();
  const tab = site.addTab();
  await until('the connection', () => tab.received.length > 0);
  tab.send(text('goodbye'));
  tab.close();
  await until('the end', () => site.gone.length === 1);
  assert.deepEqual(texts(site.gone[0].received), ['goodbye']);
  assert.deepEqual(tab.cuts, []);
});

test('a connection that the hub closes is cut for its tab, after what the hub said last; others go on', t => {
  const { air, site, tab, pass, port } = createStill(t);
  const other = site.addTab();
  air.settle();
  port.postMessage(text('goodbye'));
  site.switchboard.closed(port);
  site.ports[1].postMessage(text('still here'));
  pass(1_000);
  assert.deepEqual([texts(tab.frames), tab.cuts], [['goodbye'], ['the other end has closed the connection']]);
  assert.deepEqual([texts(other.frames), other.cuts], [['still here'], []]);
  assert.deepEqual(site.gone, [], 'the hub knows already');
});

test('when the worker ends, all who are connected are told', t => {
  const { air, site, tab } = createStill(t);
  const other = site.addTab();
  air.settle();
  site.switchboard.close();
  air.settle();
  for (const { cuts } of [tab, other]) assert.deepEqual(cuts, ['the other end has closed the connection']);
  assert.deepEqual(air.names, []);
});

test('a packet that is late is waited for; one that does not come within two seconds ends the connection at both ends', t => {
  const { air, site, tab, pass, port } = createStill(t);
  port.postMessage(text('a'));
  air.settle(() => true);
  port.postMessage(text('b'));
  pass(1_999);
  assert.deepEqual([tab.frames, tab.cuts], [[], []]);
  air.post(tab.channel, packet('hub', 0, 'a'));
  pass(5_000);
  assert.deepEqual([texts(tab.frames), tab.cuts], [['a', 'b'], []]);
  port.postMessage(text('c'));
  air.settle(() => true);
  port.postMessage(text('d'));
  pass(2_000);
  assert.deepEqual([texts(tab.frames), tab.cuts], [['a', 'b'], ['packet 2 was lost']]);
  pass(1_000);
  assert.equal(site.gone.length, 1);
});

for (const [what, comes] of [['comes', true], ['does not come', false]]) {
  test(`a packet that is late has two seconds of its own, whether it ${what}`, t => {
    const { air, tab, pass } = createStill(t);
    const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((value, seq) => packet('hub', seq, value));
    air.post(tab.channel, b);
    pass(1_500);
    for (const next of [d, a]) air.post(tab.channel, next);
    pass(1_999);
    assert.deepEqual([texts(tab.frames), tab.cuts], [['a', 'b'], []]);
    if (comes) air.post(tab.channel, c);
    pass(5_000);
    assert.deepEqual([texts(tab.frames), tab.cuts], comes ? [['a', 'b', 'c', 'd'], []] : [['a', 'b'], ['packet 2 was lost']]);
  });
}

test('a tab that closes at a frame gets none of those that came with it', t => {
  const { air, site } = createStill(t);
  const frames = [];
  const other = connectOverChannel({ channel: air.channel, timer, uuid: () => 'other' }, site.database, 'hub-1', { message: data => { if (data instanceof ArrayBuffer) { frames.push(data); other.close(); } }, cut: assert.fail });
  for (const seq of [1, 0]) air.post(`tabhub:${site.database}:hub-1:other`, packet('hub', seq, String(seq)));
  air.settle();
  assert.deepEqual(texts(frames), ['0']);
});

for (const side of ['tab', 'hub']) {
  test(`that the last packet from the ${side} was lost comes out at the next sign of life`, t => {
    const { air, site, tab, pass, port } = createStill(t);
    if (side === 'tab') tab.send(text('a'));
    else port.postMessage(text('a'));
    air.settle(() => true);
    pass(60_000);
    assert.deepEqual(tab.cuts, []);
    tab.ping();
    pass(2_000);
    pass(1_000);
    assert.deepEqual([tab.cuts.length, site.gone.length], [1, 1]);
  });
}

test('a sign of life is answered, and a part of a frame is one', t => {
  const { air, tab, port } = createStill(t);
  tab.received.length = 0;
  tab.ping();
  air.settle();
  assert.deepEqual(tab.received.splice(0).map(({ tabhub }) => tabhub), ['alive']);
  port.postMessage(large(600_000));
  let parts = 0;
  air.settle(({ tabhub }) => tabhub === 'packet' && ++parts > 2);
  assert.deepEqual(tab.received.map(({ tabhub }) => tabhub), ['packet', 'packet']);
  assert.deepEqual(tab.frames, []);
});

test('without Web Locks a tab that is silent for 150 s is dropped and told so; whatever it says in time keeps it', t => {
  const { site, tab, pass } = createStill(t, { hasLocks: false });
  for (const speak of [() => tab.ping(), () => tab.send(text('a')), () => tab.send(large(300_000))]) {
    pass(149_999);
    speak();
    pass(0);
  }
  pass(149_999);
  assert.deepEqual([site.gone, tab.cuts], [[], []]);
  pass(1);
  pass(1_000);
  assert.deepEqual([site.gone.length, tab.cuts], [1, ['the other end has closed the connection']]);
});

test('with Web Locks a tab may be silent for ever once it has said hello, and is dropped if it never did', t => {
  const { air, site, tab, pass } = createStill(t);
  tab.send(text('hello'));
  air.settle();
  air.post(`tabhub:${site.database}`, { tabhub: 'connect', hub: 'hub-1', client: 'given up' });
  pass(150_000);
  pass(1_000_000);
  assert.deepEqual([site.gone, tab.cuts], [[site.ports[1]], []]);
});

test('what any other script posts is ignored', t => {
  const { air, site, tab, pass, port } = createStill(t);
  for (const noise of NOISE) for (const name of [tab.channel, `tabhub:${site.database}`]) air.post(name, noise);
  pass(10_000);
  tab.send(text('a'));
  port.postMessage(text('b'));
  air.settle();
  assert.deepEqual([texts(port.received), texts(tab.frames), tab.cuts, site.ports.length, site.gone], [['a'], ['b'], [], 1, []]);
});

for (const [what, message] of [
  ['a number that is due in a thousand years', from => packet(from, Number.MAX_SAFE_INTEGER, 'x')],
  ['a count of packets that nobody sent', from => ({ tabhub: 'alive', from, sent: Number.MAX_SAFE_INTEGER })],
  ['a goodbye that nobody said', from => ({ tabhub: 'bye', from })],
]) {
  test(`${what} costs one connection, with a reason, and no other`, t => {
    for (const from of ['hub', 'tab']) {
      const { air, site, tab, pass } = createStill(t);
      const other = site.addTab();
      air.settle();
      air.post(tab.channel, message(from));
      pass(2_000);
      pass(1_000);
      other.send(text('still here'));
      air.settle();
      assert.deepEqual([tab.cuts.length, site.gone], [1, [site.ports[0]]]);
      assert.ok(tab.cuts[0]);
      assert.deepEqual([texts(site.ports[1].received), other.cuts], [['still here'], []]);
      t.mock.timers.reset();
    }
  });
}

test('what comes too early is kept up to a limit, and what is beyond it is missed', () => {
  const packer = new Packer('hub'), unpacker = new Unpacker();
  const packets = Array.from({ length: 1_000 }, (_, number) => packer.pack(text(String(number)))[0]);
  for (const packet of packets.slice(1).reverse()) assert.deepEqual(unpacker.take(packet), []);
  assert.equal(unpacker.missing, 0);
  const frames = texts(unpacker.take(packets[0]));
  assert.deepEqual(frames, Array.from({ length: 256 }, (_, number) => String(number)));
  assert.equal(unpacker.missing, 256);
  assert.deepEqual(texts(packets.slice(200).flatMap(packet => unpacker.take(packet))).length, 744, 'it goes on when they come again');
  assert.equal(unpacker.missing, undefined);
});

const MESSAGES = [
  { tabhub: 'who', from: 'a' }, { tabhub: 'here', hub: 'h', ...ABOUT }, { tabhub: 'yield', from: 'a', ...ABOUT }, { tabhub: 'yielding', hub: 'h' },
  { tabhub: 'connect', hub: 'h', client: 'c' }, { tabhub: 'connected', hub: 'h' }, packet('tab', 0, ''), { tabhub: 'alive', from: 'tab', sent: 0 }, { tabhub: 'bye', from: 'tab' },
  { tabhub: 'starting', hub: 'h', yields: false }, { tabhub: 'elsewhere', hub: 'h' }, { tabhub: 'ping' }, { tabhub: 'pong', hub: 'h' }, { tabhub: 'hosting', hub: 'h' }, { tabhub: 'tick' }, { tabhub: 'ended' },
];

test('a message is believed only if every field is of its kind', () => {
  for (const message of MESSAGES) {
    assert.equal(readMessage(message), message);
    for (const [field, value] of Object.entries(message)) {
      const kinds = [undefined, null, '', 'x', 7, -1, 1.5, NaN, Infinity, true, [], {}, new ArrayBuffer(1), new Uint8Array(1)];
      const alike = kind => kind !== '' && kind?.constructor === value.constructor && (typeof kind !== 'number' || kind === 7);
      for (const kind of kinds.filter(kind => !alike(kind))) assert.equal(readMessage({ ...message, [field]: kind }), null, `${message.tabhub}.${field} = ${String(kind)}`);
    }
  }
  fc.assert(fc.property(fc.anything(), data => { assert.equal(readMessage(data), null); }));
});

/** Conversations over air that loses so much of what is said; the property's verdict. */
function tryConversations(t, losses, runs) {
  const { MessageChannel } = globalThis;
  globalThis.MessageChannel = FakeMessageChannel;
  t.after(() => { globalThis.MessageChannel = MessageChannel; });
  return fc.check(conversations(losses, t.mock.timers), { numRuns: runs });
}

const assertHolds = result => assert.ok(!result.failed, () => fc.defaultReportMessage(result));

test('whatever is repeated, late and out of order: every frame arrives once and in order, and no connection ends', t => {
  assertHolds(tryConversations(t, 0, RUNS));
});

test('whatever is lost, too: every frame arrives once and in order, or the connection ends', t => {
  for (const losses of [0.01, 0.3]) assertHolds(tryConversations(t, losses, RUNS));
});

/** At stake: a checker that sees nothing. */
for (const [what, losses, careless] of [
  ['a frame that arrives twice', 0, { take: ({ value: take }) => ({ value(packet) { const frames = take.call(this, packet); return frames.length > 0 || packet.more ? frames : [packet.bytes]; } }) }],
  ['frames out of order', 0, { take: () => ({ value(packet) { this.seen ??= new Set(); const isNew = !this.seen.has(packet.seq); this.seen.add(packet.seq); return isNew ? [packet.bytes] : []; } }) }],
  ['a loss that nobody speaks of', 0.3, { missing: () => ({ get: () => undefined }) }],
]) {
  test(`the check of conversations sees ${what}`, t => {
    const [[name, change]] = Object.entries(careless);
    const right = Object.getOwnPropertyDescriptor(Unpacker.prototype, name);
    t.after(() => Object.defineProperty(Unpacker.prototype, name, right));
    Object.defineProperty(Unpacker.prototype, name, { configurable: true, ...change(right) });
    assert.ok(tryConversations(t, losses, RUNS).failed);
  });
}
