/**
 * What happens in a world of an election: a time of faults, then calm, in which one hub must be found and kept, then the orderly end of the
 * tab that hosts it. All of it from one seed. `runSeed` answers what was wrong and what it took.
 */
import { randomFrom } from './agenda.mjs';
import { World } from './election-world.mjs';

const MEANS = [
  { weight: 40, locks: true, lease: true, channel: true },
  { weight: 35, locks: false, lease: true, channel: true },
  { weight: 11, locks: true, lease: false, channel: true },
  { weight: 7, locks: true, lease: true, channel: false },
  { weight: 7, locks: false, lease: true, channel: false },
];
/** How often the story looks whether all is well. */
const LOOK_MS = 50;
/** A hub must start so soon after its predecessor's tab was closed. Where nothing but the loss of its lock tells the others, later. */
const HANDOVER_MS = { locks: 100, locksAlone: 250, lease: 250, noChannel: 2_500 };
const HUBS_MAX = 2;
/** The same where tabs see a claim only after it settled. */
const HUBS_MAX_BLIND = 6;
const SETTLE_MS = 80;

function planFrom(random) {
  const pick = (...list) => list[Math.floor(random() * list.length)];
  const { weight, ...means } = weighted(MEANS, random);
  const patienceMs = pick(1_000, 2_000, 10_000);
  return {
    means: { ...means, patienceMs }, patienceMs,
    tickMs: means.locks ? patienceMs / 4 : 400,
    lagMs: pick(0, 2, 20, 60, 150), lockMs: pick(0, 1, 2), endMs: pick(0, 5, 100), messageMs: pick(1, 5, 50), skewMs: pick(0, 0, 200, 300_000),
    messageLoss: pick(0, 0, 0.2, 0.7, 1), eventLoss: pick(0, 0.2, 1), openLoss: pick(0, 0, 0.1), eviction: pick(0, 0.5, 1), canSteal: pick(true, true, true, false),
    throttleMs: pick(1, 1_000, 1_000, 60_000),
    tabs: 2 + Math.floor(random() * 5), faults: 4 + Math.floor(random() * 14), faultsMs: pick(3_000, 10_000, 30_000),
  };
}

function weighted(list, random) {
  let left = random() * list.reduce((sum, { weight }) => sum + weight, 0);
  return list.find(({ weight }) => (left -= weight) < 0) ?? list[0];
}

/** In the calm nothing changes any more by itself. */
const recover = (world, maxMs, act) => world.after(world.between(100, maxMs), () => { if (!world.isCalm) act(); });

/** What may happen to a tab, each as often as it stands here. */
const FAULTS = {
  open: world => { if (world.live.length < 6) world.openTab({ isVisible: world.chance(0.7) }); },
  close: (_, tab) => tab.close(),
  crash: (world, tab) => tab.die(world.between(10, 200)),
  freeze: (world, tab) => { tab.freeze(); recover(world, 20_000, () => tab.goOn()); },
  freezeForLong: (_, tab) => tab.freeze(),
  putAside: (world, tab) => {
    tab.hide();
    if (world.chance(0.7)) tab.freeze();
    recover(world, 10_000, () => tab.show());
  },
  block: (world, tab) => { tab.block(); recover(world, 20_000, () => { if (!tab.isFrozen) tab.goOn(); }); },
  turn: (_, tab) => tab.setVisible(!tab.isVisible),
  turnAgain: (_, tab) => tab.setVisible(!tab.isVisible),
  crashWorker: (_, tab) => tab.hub?.crash(),
  wedgeWorker: (_, tab) => tab.hub?.wedge(),
  clearStorage: world => world.write(null, null),
  /** Late, twice, or out of turn. */
  echo: (world, tab) => {
    const events = [{ type: 'seek' }, { type: 'wake' }, { type: 'tick' }, { type: 'lease' }, { type: 'here', hub: 'hub of long ago' }, { type: 'lock', state: 'refused' }];
    tab.receive(events[world.between(0, events.length - 1)]);
  },
};

class Story {
  constructor(seed, options) {
    this.random = randomFrom(seed);
    this.plan = planFrom(this.random);
    this.world = new World(this.plan, this.random, options);
    this.figures = {};
  }

  run() {
    this.storm();
    this.calm();
    this.settle();
    if (this.world.violations.length === 0) this.handOver();
    return { plan: this.plan, violations: this.world.violations, counts: this.world.counts, figures: this.figures };
  }

  advance(ms) {
    const end = this.world.now + ms;
    while (this.world.agenda.step(end));
  }

  storm() {
    const { world, plan } = this;
    const kinds = Object.keys(FAULTS);
    for (let n = 0; n < plan.tabs; n++) world.agenda.at(world.chance(0.5) ? 0 : world.between(0, 2_000), () => world.openTab({ isVisible: world.chance(0.6) }));
    for (let n = 0; n < plan.faults; n++) {
      const kind = kinds[world.between(0, kinds.length - 1)];
      world.agenda.at(world.between(0, plan.faultsMs), () => this.strike(kind));
    }
    this.advance(plan.faultsMs);
  }

  /** Leaders are hit as often as all the others together. */
  strike(kind) {
    const { world } = this;
    const leaders = world.live.filter(tab => tab.hub);
    const tabs = leaders.length > 0 && world.chance(0.5) ? leaders : world.live;
    const tab = tabs[world.between(0, tabs.length - 1)];
    if (!tab && kind !== 'open') return;
    world.note(() => `— ${kind} ${tab?.id}`);
    FAULTS[kind](world, tab);
  }

  /** No more faults, except that what is frozen or put aside may stay so, and a wedged worker does. */
  calm() {
    const { world } = this;
    world.note(() => '— calm');
    world.isCalm = true;
    Object.assign(world.faults, { message: 0, event: 0, open: 0 });
    for (const tab of world.live) {
      const stays = tab.isFrozen || !tab.isShown ? world.chance(0.4) : false;
      if (stays) continue;
      if (tab.isShown) tab.goOn();
      else tab.show();
    }
    if (!world.live.some(tab => tab.isWell && tab.isVisible)) world.openTab({ isVisible: true });
  }

  /** One hub for all, within a bound, and then it stays. */
  settle() {
    const { world, plan } = this;
    const begun = world.now;
    const { opened } = world.counts;
    const boundMs = this.bound();
    for (const tab of world.live) tab.saidUnreachable = false;
    const steadyMs = plan.means.locks ? plan.patienceMs * 2 : 3_000;
    let since = begun;
    while (world.now < since + steadyMs && since < begun + boundMs) {
      this.advance(LOOK_MS);
      if (!this.isSettled()) since = world.now;
    }
    this.figures.settledMs = since - begun;
    if (!this.isSettled()) return this.isStuckByRule() ? undefined : world.violate(`not all tabs have the same hub ${boundMs} ms after the last fault: ${this.describe()}`);
    this.figures.changes = world.counts.opened - opened;
    if (this.figures.changes > this.hubsMax) world.violate(`${this.figures.changes} hubs opened after the last fault`);
  }

  /**
   * With locks a holder that is frozen for good costs its followers one and a half patiences to doubt it, as much before if they had missed
   * its last renewal, and one more to steal; without, all together takes less than five seconds. A wedged worker costs three patiences, an
   * answer that was lost one. A hidden tab may be late with each step by what the browser throttles.
   */
  bound() {
    const { world, plan } = this;
    const isWedged = [...world.hubs.values()].some(hub => hub.isWedged);
    const throttleMs = world.live.some(tab => !tab.isVisible) ? plan.throttleMs : 0;
    const patiences = (plan.means.locks ? 4 : 0) + (isWedged ? 3 : 0) + (plan.messageLoss > 0 ? 1 : 0);
    return patiences * plan.patienceMs + throttleMs * 3 + 5_000;
  }

  isSettled() {
    const well = this.world.live.filter(tab => tab.isWell);
    const leaders = well.filter(tab => tab.election.role === 'leader');
    const [{ hub } = {}] = leaders;
    if (leaders.length !== 1 || !hub?.isWell) return false;
    return well.every(tab => tab.hub === hub || (this.plan.means.channel ? tab.link === hub.id && tab.election.role === 'follower' : tab.saidUnreachable));
  }

  /** A frozen holder that all have stolen from before may keep its lock: then each visible tab is told by now. */
  isStuckByRule() {
    const { lockHolder, live } = this.world;
    this.figures.stuck = 1;
    return lockHolder?.isFrozen && live.every(tab => !tab.isWell || !tab.isVisible || tab.saidUnreachable);
  }

  /** The leader is closed; whoever can takes over at once. */
  handOver() {
    const { world } = this;
    const leader = world.live.find(tab => tab.isWell && tab.hub);
    if (!leader || !this.isSettled() || !world.live.some(tab => tab !== leader && tab.isWell && tab.isVisible)) return;
    const { hosts } = world.counts;
    const begun = world.now;
    leader.close();
    while (world.counts.hosts === hosts && world.now < begun + 10_000) this.advance(5);
    this.figures.handOverMs = world.now - begun;
    const { locks, lease, channel } = this.plan.means;
    const kind = !channel ? 'noChannel' : !locks ? 'lease' : lease ? 'locks' : 'locksAlone';
    if (this.figures.handOverMs > HANDOVER_MS[kind] + this.plan.lagMs + (this.isBlind ? this.plan.throttleMs : 0)) world.violate(`handing over took ${this.figures.handOverMs} ms, ${kind}`);
    this.advance(1_000);
    this.figures.handOverHosts = world.counts.hosts - hosts;
    if (this.figures.handOverHosts > this.hubsMax) world.violate(`${this.figures.handOverHosts} tabs hosted after one closed`);
    this.advance(this.bound());
    if (!this.isSettled()) world.violate(`not all tabs have the same hub after one was closed: ${this.describe()}`);
  }

  /** Without locks, a claim may stand although others see a later one; a hidden tab may be the last to claim, and the last to host. */
  get isBlind() { return !this.plan.means.locks && this.plan.lagMs > SETTLE_MS; }
  get hubsMax() { return this.isBlind ? HUBS_MAX_BLIND : HUBS_MAX; }

  describe() {
    return this.world.live.map(tab => `${tab.id} ${tab.election.role} ${tab.hub?.id ?? tab.link}${tab.isWell ? '' : ' (away)'}`).join(', ');
  }
}

/** Options: `Machine`, and those of the world. */
export const runSeed = (seed, options) => new Story(seed, options).run();
