/**
 * The world of an election, with a clock of its own and everything random from one seed: tabs with their sessions, the storage they share,
 * Web Locks, a channel, and the hubs that their workers run. It moves what the machine under test decides, and tells what must never be;
 * `election-story.mjs` lets things happen in it.
 */
import { Agenda } from './agenda.mjs';

/** How long a worker takes to load, and its hub to open the database; drawn between these. */
const LOAD_MS = [20, 200];
const OPEN_MS = [5, 30];
/** How long a new hub waits for the end of the one that owns the database, before it says "elsewhere". */
const OWNER_MS = 300;
/** What a session waits for a hub's answer to its hello, and before it asks again for a hub that could not be reached. */
const HELLO_MS = 2_000;
const AGAIN_MS = 1_000;
/** More than any story takes. */
const EVENTS_MAX = 100_000;

export class World {
  agenda = new Agenda();
  tabs = [];
  /** localStorage as the last writer left it; tabs see it later. */
  storage = { lease: null, version: 0 };
  lockHolder = null;
  /** The epoch in IndexedDB, and the hub that holds the owner's lock. */
  epoch = 0;
  owner = null;
  hubs = new Map();
  violations = [];
  counts = { hosts: 0, opened: 0, fenced: 0, commits: 0, steals: 0, unreachable: 0, elsewhere: 0, evicted: 0, twoHubs: 0, events: 0 };
  #ids = 0;

  /**
   * `plan`: what the seed says of this world. `faults`: how likely a message, a storage event or an opening hub is lost, changed by the story.
   * `Machine` and `isFenced` are there for the checks of the check.
   */
  constructor(plan, random, { Machine, isFenced = true, trace }) {
    Object.assign(this, { plan, random, Machine, isFenced, trace });
    this.faults = { message: plan.messageLoss, event: plan.eventLoss, open: plan.openLoss };
  }

  get now() { return this.agenda.now; }
  between(low, high) { return low + Math.floor(this.random() * (high - low + 1)); }
  chance(p) { return p > 0 && this.random() < p; }
  after(ms, act) { this.agenda.at(this.now + ms, act); }
  nextId(kind) { return `${kind}${++this.#ids}`; }
  violate(what) { this.violations.push(`${this.now} ms: ${what}`); }
  note(text) { this.trace?.(`${String(this.now).padStart(7)} ${text()}`); }
  get live() { return this.tabs.filter(tab => !tab.isDead); }

  openTab(options) {
    const tab = new Tab(this, options);
    this.tabs.push(tab);
    tab.receive({ type: 'visible', visible: tab.isVisible });
    tab.receive({ type: 'seek' });
    return tab;
  }

  // localStorage: a writer sees its own at once, the others later, and never an older one after a newer.

  write(tab, lease) {
    const { storage } = this;
    Object.assign(storage, { lease, version: storage.version + 1 });
    const written = { ...storage };
    if (tab) tab.storage = written;
    for (const other of this.live) {
      if (other !== tab) this.after(this.between(0, this.plan.lagMs), () => this.#appear(other, written));
    }
  }

  #appear(tab, written) {
    if (tab.isDead || tab.storage.version >= written.version) return;
    tab.storage = written;
    if (!this.chance(this.faults.event)) this.after(this.between(0, 3), () => tab.receive({ type: 'lease' }));
  }

  // Web Locks: requests of a tab arrive in their order.

  request(tab, isSteal) {
    const answer = (to, state) => this.after(this.plan.lockMs, () => to.receive({ type: 'lock', state }));
    this.after(this.plan.lockMs, () => {
      if (tab.isDead) return;
      const holder = this.lockHolder;
      if (holder && !(isSteal && this.plan.canSteal)) {
        answer(tab, 'refused');
        if (holder.isFrozen && this.chance(this.plan.eviction)) this.#evict(holder);
        return;
      }
      if (holder) answer(holder, 'lost');
      this.lockHolder = tab;
      answer(tab, 'granted');
    });
  }

  release(tab, ms) {
    this.after(ms, () => { if (this.lockHolder === tab) this.lockHolder = null; });
  }

  #evict(tab) {
    this.counts.evicted += 1;
    tab.die(this.between(1, 20));
  }

  // The channel: all hubs hear a question, all tabs an answer.

  ask() {
    for (const hub of this.hubs.values()) this.#send(() => hub.answer());
  }

  say(event) {
    for (const tab of this.live) this.#send(() => tab.receive(event));
  }

  #send(deliver) {
    if (this.plan.means.channel && !this.chance(this.faults.message)) this.after(this.between(0, this.plan.messageMs), deliver);
  }

  /** A hub is over: where there are locks, whoever follows it learns it from the lock that it held. */
  hubEnded(hub) {
    this.after(this.between(0, this.plan.endMs), () => { if (this.owner === hub) this.owner = null; });
    this.hubs.delete(hub.id);
    if (this.plan.means.locks) for (const tab of this.live) if (tab.link === hub.id) this.after(this.between(5, 100), () => tab.linkLost(hub.id));
  }
}

/** A page with its session. While it stands still, for whatever reason, what comes waits in its inbox. */
export class Tab {
  isDead = false;
  isFrozen = false;
  isBlocked = false;
  isShown = true;
  /** Its worker's hub, and the hub its session has. */
  hub = null;
  link = null;
  saidUnreachable = false;
  #inbox = [];
  #timer = 0;
  #stolen = new Set();

  constructor(world, { isVisible }) {
    const { means, skewMs } = world.plan;
    this.world = world;
    this.id = world.nextId('tab');
    this.isVisible = isVisible;
    this.skew = world.between(-skewMs, skewMs);
    this.storage = { ...world.storage };
    this.election = new world.Machine(this.id, means);
  }

  /** Whether it can do what it wants. */
  get isWell() { return !this.isDead && !this.isFrozen && !this.isBlocked && this.isShown; }

  receive(event) {
    if (this.isDead) return;
    if (this.isFrozen || this.isBlocked) return void this.#inbox.push(event);
    const { world } = this;
    if (++world.counts.events > EVENTS_MAX) throw new Error(`${EVENTS_MAX} events are no election: ${this.id} ${describe(event)}`);
    const actions = this.election.handle(event, world.now + this.skew, world.plan.means.lease ? this.storage.lease : null);
    world.note(() => `${this.id} ${describe(event)} ${this.storage.lease?.holder}/${this.storage.lease?.epoch} → ${this.election.role} ${actions.map(describe).join(', ')}`);
    for (const action of actions) this.#perform(action);
    if (!this.isShown && this.hub) world.violate(`${this.id} hosts although its page is put aside`);
    this.#setTimer();
  }

  #setTimer() {
    const timer = ++this.#timer;
    const { wakeAt } = this.election;
    if (wakeAt === undefined) return;
    const { world } = this;
    const due = wakeAt - this.skew;
    if (due <= world.now) world.violate(`${this.id} wants to be woken in the past`);
    const grid = this.isVisible ? 1 : world.plan.throttleMs;
    world.agenda.at(Math.ceil(due / grid) * grid, () => { if (timer === this.#timer) this.receive({ type: 'wake' }); });
  }

  #perform(action) {
    const { world } = this;
    switch (action.type) {
      case 'ask': return world.ask();
      case 'probe': return world.request(this, false);
      case 'steal': return this.#steal();
      case 'release': return world.release(this, world.plan.lockMs);
      case 'write': return world.write(this, action.lease);
      case 'host': return this.#host();
      case 'unhost': return this.#unhost();
      case 'follow': return this.#follow(action.hub);
      case 'lost': this.link = null; return world.after(0, () => this.receive({ type: 'seek' }));
      case 'unreachable': return this.#unreachable();
      default: throw new Error(`an action that nobody knows: ${action.type}`);
    }
  }

  #steal() {
    const { world } = this;
    const holder = this.storage.lease?.holder ?? '';
    if (this.#stolen.has(holder)) world.violate(`${this.id} steals a second time from ${holder || 'an unknown holder'}`);
    this.#stolen.add(holder);
    world.counts.steals += 1;
    world.request(this, true);
  }

  #host() {
    const { world } = this;
    if (this.hub) world.violate(`${this.id} hosts twice`);
    world.counts.hosts += 1;
    world.lastHostAt = world.now;
    this.link = null;
    this.hub = new Hub(world, this);
  }

  #unhost() {
    const { hub } = this;
    this.hub = null;
    hub?.end();
  }

  #follow(id) {
    const { world } = this;
    this.link = id;
    if (!world.hubs.has(id) && world.plan.means.locks) return world.after(world.between(5, 20), () => this.linkLost(id));
    if (!world.hubs.get(id)?.isWell) world.after(HELLO_MS, () => { if (!world.hubs.get(id)?.isWell) this.linkLost(id); });
  }

  #unreachable() {
    const { world } = this;
    world.counts.unreachable += 1;
    this.saidUnreachable = true;
    this.link = null;
    world.after(AGAIN_MS, () => this.receive({ type: 'seek' }));
  }

  /** The session finds out that its hub is gone. */
  linkLost(id) {
    if (this.link !== id) return;
    this.link = null;
    this.receive({ type: 'seek' });
  }

  /** The worker's news, unless it was told to end. */
  fromWorker(hub, event) {
    this.world.after(this.world.between(0, 2), () => {
      if (this.hub !== hub) return;
      if (event.type === 'ended') this.hub = null;
      this.receive(event);
    });
  }

  // What befalls it.

  freeze() { this.isFrozen = true; }
  block() { this.isBlocked = true; }
  setVisible(visible) { this.isVisible = visible; this.receive({ type: 'visible', visible }); }

  /** Whether it freezes then or not, from here on it must not host. */
  hide() {
    if (!this.isWell) return;
    this.isShown = false;
    this.receive({ type: 'hide' });
  }

  show() {
    if (this.isShown || this.isDead) return;
    this.isShown = true;
    this.goOn();
    this.receive({ type: 'show' });
  }

  /** Thawed and not blocked: what came meanwhile comes now. */
  goOn() {
    this.isFrozen = this.isBlocked = false;
    if (this.isDead) return;
    const inbox = this.#inbox;
    this.#inbox = [];
    if (this.world.chance(0.5)) this.hub?.thaw();
    for (const event of inbox) this.world.after(0, () => this.receive(event));
    this.hub?.thaw();
  }

  close() {
    if (!this.isDead && !this.isFrozen && !this.isBlocked) this.receive({ type: 'close' });
    this.die(this.world.between(0, 5));
  }

  /** `ms`: after which the browser notices and lets go of its lock. */
  die(ms) {
    if (this.isDead) return;
    this.isDead = true;
    this.#unhost();
    this.world.release(this, ms);
  }
}

/** A worker that becomes the hub, if it gets there. It stands still with its tab's freeze, but not while its tab is only blocked. */
class Hub {
  isOpen = false;
  isEnded = false;
  isWedged = false;
  epoch = 0;
  #frozen = [];

  constructor(world, tab) {
    Object.assign(this, { world, tab, id: world.nextId('hub') });
    world.hubs.set(this.id, this);
    world.note(() => `${tab.id} starts ${this.id}`);
    this.#later(world.between(...LOAD_MS), () => this.#loaded());
  }

  get isWell() { return this.isOpen && !this.isEnded && !this.isWedged && !this.tab.isFrozen; }

  #later(ms, act) { this.world.after(ms, () => this.#run(act)); }

  #run(act) {
    if (this.isEnded || this.isWedged) return;
    if (this.tab.isFrozen) this.#frozen.push(act);
    else act();
  }

  thaw() {
    const acts = this.#frozen;
    this.#frozen = [];
    for (const act of acts) this.#later(0, act);
  }

  #loaded() {
    const { world } = this;
    this.#tick();
    if (world.chance(world.faults.open)) return this.crash();
    const isOwned = world.plan.means.locks && world.owner;
    if (isOwned) this.#later(OWNER_MS, () => this.#elsewhereOrOpen());
    else this.#later(world.between(...OPEN_MS), () => this.#open());
  }

  #elsewhereOrOpen() {
    const { owner, counts } = this.world;
    // One that does not answer loses the owner's lock, as it loses the database to the next epoch.
    if (!owner?.isWell) return this.#open();
    counts.elsewhere += 1;
    this.tab.fromWorker(this, { type: 'elsewhere', hub: owner.id });
  }

  #open() {
    const { world } = this;
    this.isOpen = true;
    this.epoch = ++world.epoch;
    world.owner = this;
    world.counts.opened += 1;
    world.note(() => `${this.id} opens with epoch ${this.epoch}`);
    if ([...world.hubs.values()].filter(hub => hub.isOpen).length > 1) world.counts.twoHubs += 1;
    this.tab.fromWorker(this, { type: 'hosting', hub: this.id, epoch: 0 });
    this.tab.fromWorker(this, { type: 'hosting', hub: this.id, epoch: this.epoch });
    this.answer();
  }

  /** A sign of life, and a commit. */
  #tick() {
    if (this.isOpen && !this.#commit()) return;
    this.tab.fromWorker(this, { type: 'tick' });
    this.#later(this.world.plan.tickMs, () => this.#tick());
  }

  #commit() {
    const { world } = this;
    const isNewest = this.epoch === world.epoch;
    if (!isNewest && world.isFenced) {
      world.counts.fenced += 1;
      for (const tab of world.live) if (tab.link === this.id) world.after(world.between(0, 5), () => tab.linkLost(this.id));
      this.crash();
      return false;
    }
    world.counts.commits += 1;
    if (!isNewest) world.violate(`${this.id} commits with epoch ${this.epoch}, the newest is ${world.epoch}`);
    return true;
  }

  answer() {
    this.#run(() => { if (this.isOpen) this.world.say({ type: 'here', hub: this.id }); });
  }

  wedge() { this.isWedged = true; }

  /** The worker ends by itself. */
  crash() {
    this.end();
    this.tab.fromWorker(this, { type: 'ended' });
  }

  end() {
    if (this.isEnded) return;
    this.isEnded = true;
    this.world.note(() => `${this.id} ends`);
    this.world.hubEnded(this);
  }
}

const describe = ({ type, ...rest }) => [type, ...Object.values(rest).map(value => typeof value === 'object' ? JSON.stringify(value) : value)].join(' ');
