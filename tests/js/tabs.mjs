/**
 * Several tabs without SharedWorker, over what they share: Web Locks, localStorage, real BroadcastChannels and the workers that they start.
 * Clients, routes, elections, ownership and the channel's two ends are the real ones; only the hubs are scripted.
 */
import { MessageChannel } from 'node:worker_threads';
import { ABOUT, FRAME_BYTES_MAX, HubError, Ownership, Switchboard, openDatabase } from './client.mjs';
import { FakeHub, FakeLocks, within } from './world.mjs';

let databases = 0;

/** `script`: what the hubs answer. `locks`, `storage` and `channel` are there unless they are null. */
// biome-ignore lint/complexity/noExcessiveLinesPerFunction: short functions that share one site.
export function createTabs(t, { script = {}, locks = new FakeLocks(), storage = new Map(), channel = name => new BroadcastChannel(name) } = {}) {
  const site = { database: `tabs-${++databases}`, hubs: [], tabs: [], written: new Map(), epoch: 0 };
  const open = new Set();
  t.after(() => open.forEach(end => end()));

  /** The worker's script, but for the hub in it. */
  function startWorker(events) {
    const hub = `hub-${site.hubs.length + 1}`;
    const worker = { hub, ports: [], isOver: false };
    site.hubs.push(worker);
    const say = message => { if (!worker.isOver) setImmediate(() => worker.isOver || events.message(message)); };
    const rendezvous = channel?.(`tabhub:${site.database}`);
    const ownership = new Ownership({ database: site.database, hub, about: ABOUT, locks: locks ?? undefined, channel: rendezvous, patienceMs: 500, onAsked() {}, onStolen() {} });
    /** A worker that was ended says nothing more, not even goodbye. */
    const openChannel = name => {
      const made = channel(name);
      return { postMessage: data => worker.isOver || made.postMessage(data), close: () => made.close(), addEventListener: (...args) => made.addEventListener(...args) };
    };
    const accept = port => {
      worker.ports.push(port);
      if (worker.isOwner) serve(port);
    };
    const serve = port => {
      const fake = new FakeHub(port, undefined, { hello: (request, it) => it.welcome(request, { epoch: worker.epoch }), ...script(site) }, hub);
      worker.fakes = [...worker.fakes ?? [], fake];
    };
    void ownership.take().then(owner => {
      if (worker.isOver) return;
      if (owner !== undefined) {
        for (const port of worker.ports) port.postMessage({ tabhub: 'elsewhere', hub: owner });
        return say({ tabhub: 'elsewhere', hub: owner });
      }
      worker.isOwner = true;
      worker.epoch = ++site.epoch;
      if (channel) worker.switchboard = new Switchboard({ database: site.database, hub, about: ABOUT, hasLocks: Boolean(locks), channel: openChannel, accept, gone() {} });
      if (locks) locks.request(`tabhub:${site.database}:hub:${hub}`, () => new Promise(release => { worker.release = release; }));
      worker.ports.forEach(serve);
      say({ tabhub: 'hosting', hub });
    });
    const ticks = setInterval(() => say({ tabhub: 'tick' }), 100);
    worker.end = () => {
      if (worker.isOver) return;
      worker.isOver = true;
      clearInterval(ticks);
      worker.fakes?.forEach(fake => { fake.isDead = true; });
      worker.switchboard?.close();
      rendezvous?.close();
      ownership.release();
      worker.release?.();
      for (const port of worker.ports) port.close();
      open.delete(worker.end);
    };
    open.add(worker.end);
    return { worker, accept };
  }

  function createEnvironment(tab) {
    const timers = new Set();
    const channels = new Set();
    let isGone = false, letGo;
    const gone = new Promise(resolve => { letGo = resolve; });
    tab.vanish = () => {
      isGone = true;
      letGo();
      timers.forEach(clearTimeout);
      channels.forEach(channel => channel.close());
      tab.worker?.end();
      open.delete(tab.vanish);
      site.tabs = site.tabs.filter(other => other !== tab);
    };
    open.add(tab.vanish);
    return {
      connect: null,
      start(_url, _workerName, events) {
        const { worker, accept } = startWorker(events);
        tab.worker = worker;
        return {
          connect(receiver) {
            const { port1, port2 } = new MessageChannel();
            port1.on('message', data => isGone || receiver.message(data));
            accept(port2);
            return { send: message => port1.postMessage(message, message.byteLength > FRAME_BYTES_MAX ? [message] : []), ping: () => port1.postMessage({ tabhub: 'ping' }), close: () => port1.close() };
          },
          end: worker.end,
          terminate: worker.end,
        };
      },
      channel: channel && (name => { const made = channel(name); channels.add(made); return made; }),
      // The browser lets go of what a dead tab held.
      locks: locks && { request: (name, ...rest) => {
        const granted = rest.pop();
        return locks.request(name, ...rest, lock => isGone ? undefined : Promise.race([granted(lock), gone]));
      } },
      storage: storage && {
        getItem: key => storage.get(key) ?? null,
        setItem(key, value) {
          storage.set(key, value);
          // A tab that is gone by then hears nothing.
          for (const other of site.tabs) if (other !== tab) setImmediate(() => site.tabs.includes(other) && other.page('storage'));
        },
      },
      page: { isVisible: true, listen(listener) { tab.listeners.add(listener); return () => tab.listeners.delete(listener); } },
      missing: null,
      baseUrl: 'https://app.example/',
      uuid: () => crypto.randomUUID(),
      now: () => Date.now(),
      timer(ms, callback) {
        const handle = setTimeout(callback, ms);
        timers.add(handle);
        return () => { clearTimeout(handle); timers.delete(handle); };
      },
      log() {},
    };
  }

  /** A tab that is open; `db` once the database is. */
  site.add = () => {
    const tab = { listeners: new Set(), page: event => tab.listeners.forEach(listener => listener(event)) };
    site.tabs.push(tab);
    tab.env = createEnvironment(tab);
    tab.open = async options => {
      tab.db = await within(openDatabase(tab.env, { workerUrl: 'https://app.example/hub.js' }, site.database, options), 'open');
      return tab.db;
    };
    return tab;
  };
  return site;
}

export { HubError };
