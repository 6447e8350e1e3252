/**
 * The election of the tab that hosts the hub, where there is no SharedWorker. First its rules one by one, then all of them in a simulated
 * world of tabs that freeze, crash and are put aside, with a fault put in for each thing that the simulation must notice.
 * `ELECTION_SEEDS=0..100000 node --test tests/js/election.test.mjs` runs other seeds than `npm test` does; of a single one it tells each step.
 */
import assert from 'node:assert/strict';
import nodeTest from 'node:test';
import { randomFrom } from './agenda.mjs';
import { Election } from './client.mjs';
import { runSeed } from './election-story.mjs';
import { test } from './world.mjs';

const SEEDS = process.env.ELECTION_SEEDS ?? '0..3000';
/** Within so many seeds a fault that was put in must show. */
const CONTROL_SEEDS = 4_000;
const FUZZ_RUNS = 2_000;

const LOCKS = { locks: true, lease: true, channel: true };
const LEASE = { ...LOCKS, locks: false };

/** One tab's machine, with the lease it sees and a clock that it is told. */
function tab(means, lease = null, id = 'me') {
  const election = new Election(id, means);
  return {
    election,
    lease,
    now: 1_000,
    /** What it does at an event, in short; what it writes is what it sees next. */
    on(type, more = {}) {
      const actions = election.handle({ type, ...more }, this.now, this.lease);
      for (const action of actions) if (action.type === 'write') this.lease = action.lease;
      return actions.map(({ type, hub, lease }) => [type, hub ?? lease?.holder].filter(part => part !== undefined).join(' '));
    },
    after(ms, ...event) {
      this.now += ms;
      return this.on(...event);
    },
    /** Wakes it as it wishes until it does something of this kind, at most for `ms`. */
    until(kind, ms) {
      const end = this.now + ms;
      while (election.wakeAt <= end) {
        this.now = election.wakeAt;
        const actions = this.on('wake');
        if (actions.some(action => action.split(' ')[0] === kind)) return actions;
        if (actions.includes('probe')) this.on('lock', { state: 'refused' });
      }
      return null;
    },
  };
}

const held = (holder, { epoch = 3, expires = 2_000 } = {}) => ({ holder, epoch, expires });

// At stake: a tab that is opened alone must not wait for others that do not exist.
test('a tab alone hosts at once where there are locks, and after one settling where there are none', () => {
  const locked = tab(LOCKS);
  assert.deepEqual(locked.on('seek'), ['ask', 'probe']);
  assert.deepEqual(locked.on('lock', { state: 'granted' }), ['write me', 'host']);

  const leased = tab(LEASE);
  assert.deepEqual(leased.on('seek'), ['ask', 'write me']);
  assert.deepEqual(leased.until('host', 100), ['write me', 'host']);
  assert.equal(leased.now, 1_080);
});

// At stake: a tab that is closed or put aside must not cost the others a timeout.
test('a leader that goes lets go of the lock before the lease says so, and whoever sees it tries at once', () => {
  for (const type of ['hide', 'close']) {
    const leader = tab(LOCKS);
    leader.on('seek');
    leader.on('lock', { state: 'granted' });
    leader.on('hosting', { hub: 'hub1', epoch: 7 });
    assert.deepEqual(leader.on(type), ['unhost', 'release', 'write ', ...type === 'hide' ? ['lost'] : []]);

    const follower = tab(LOCKS, held('other', { epoch: 7 }), 'follower');
    follower.on('seek');
    follower.on('lock', { state: 'refused' });
    assert.deepEqual(follower.on('here', { hub: 'hub1' }), ['follow hub1']);
    follower.lease = leader.lease;
    assert.deepEqual(follower.on('lease'), ['lost']);
    assert.deepEqual(follower.on('seek'), ['ask', 'probe']);
  }
});

// At stake: the timers of a hidden tab fire once a second or once a minute, and a page that is put aside stands still.
test('hidden tabs let visible ones go first, and pages that were put aside do not take part', () => {
  const hidden = tab(LOCKS);
  hidden.on('visible', { visible: false });
  assert.deepEqual(hidden.on('seek'), ['ask']);
  assert.deepEqual(hidden.until('probe', 1_000), ['ask', 'probe']);
  assert.equal(hidden.now, 1_150);

  hidden.on('hide');
  assert.deepEqual(hidden.on('lock', { state: 'granted' }), ['release']);
  assert.deepEqual(hidden.after(60_000, 'wake'), []);
  assert.deepEqual(hidden.on('visible', { visible: true }), []);
  assert.deepEqual(hidden.on('show'), ['ask', 'probe']);
});

// At stake: a hub that is only busy, or whose tab is, must not lose the database.
test('nothing is taken from a holder whose hub answers', () => {
  const follower = tab(LEASE, held('other'));
  follower.on('seek');
  follower.on('here', { hub: 'hub1' });
  for (let n = 0; n < 20; n++) {
    assert.deepEqual(follower.until('ask', 1_200), ['ask'], 'the lease is not renewed');
    assert.deepEqual(follower.after(300, 'here', { hub: 'hub1' }), []);
  }
  assert.deepEqual(follower.until('ask', 1_200), ['ask']);
  assert.deepEqual(follower.until('lost', 450), ['lost']);
});

// At stake: a clock that is wrong by years must not keep a database closed.
test('a lease that nobody renews is taken over, whatever it says itself', () => {
  for (const expires of [0, 1_500, 1e15]) {
    const late = tab(LEASE, held('dead', { expires }));
    late.on('seek');
    assert.ok(late.until('host', 2_000), `expires ${expires}`);
    assert.deepEqual(late.lease, { holder: 'me', epoch: 4, expires: late.now + 1_200 });
  }
});

// At stake: two tabs that steal from each other would never get to work.
test('a lock is stolen from a silent holder once, and then the session is told', () => {
  const thief = tab(LOCKS, held('frozen'));
  const begun = thief.now;
  thief.on('seek');
  thief.on('lock', { state: 'refused' });
  assert.deepEqual(thief.until('steal', 11_000), ['steal']);
  assert.ok(thief.now - begun >= 10_000);
  thief.on('lock', { state: 'granted' });
  assert.deepEqual(thief.on('lock', { state: 'lost' }), ['unhost', 'release', 'lost']);
  thief.lease = held('frozen', { epoch: 9 });
  thief.on('seek');
  assert.equal(thief.until('steal', 9_000), null);
  assert.ok(thief.until('unreachable', 2_000));
});

// At stake: a leader whose lease another tab took must not go on beside it.
test('a leader without locks steps down before a newer lease, and insists before an older one', () => {
  const lead = () => {
    const leader = tab(LEASE, held('', { epoch: 5 }));
    leader.on('seek');
    leader.until('host', 100);
    return leader;
  };
  for (const epoch of [6, 7]) {
    const leader = lead();
    leader.lease = held('other', { epoch });
    assert.deepEqual(leader.on('lease'), ['unhost', 'lost'], `epoch ${epoch}`);
  }
  for (const lease of [held('other', { epoch: 4 }), null]) {
    const leader = lead();
    leader.lease = lease;
    assert.deepEqual(leader.on('lease'), ['write me']);
  }
});

// At stake: two hubs that both answer must not make every follower ask at every answer.
test('a follower that hears another hub asks once, and leaves its own only if that is silent', () => {
  const follower = tab(LEASE, held('other'));
  follower.on('seek');
  follower.on('here', { hub: 'hub1' });
  assert.deepEqual([...Array(50).keys()].flatMap(() => [...follower.on('here', { hub: 'hub2' }), ...follower.on('here', { hub: 'hub1' })]), []);
  follower.on('here', { hub: 'hub2' });
  assert.deepEqual(follower.until('ask', 450), ['ask']);
  assert.deepEqual(follower.until('lost', 450), ['lost']);
});

// At stake: whoever cannot get a hub must be told why, and what to do.
test('what is missing is said', () => {
  const why = (machine, event, now, lease = null) => machine.handle(event, now, lease).find(({ type }) => type === 'unreachable')?.why;
  assert.match(why(new Election('me', { locks: false, lease: false, channel: true }), { type: 'seek' }, 1_000), /neither Web Locks nor localStorage.*allow/);
  const alone = tab({ ...LOCKS, channel: false }, held('other'));
  alone.on('seek');
  alone.on('lock', { state: 'refused' });
  assert.match(why(alone.election, { type: 'wake' }, 2_000, alone.lease), /no BroadcastChannel; close that tab/);
  const beside = tab({ ...LEASE, channel: false }, held('other'));
  beside.on('seek');
  assert.match(why(beside.election, { type: 'lease' }, 1_300, held('other', { expires: 2_400 })), /no BroadcastChannel; close that tab/);
  const mute = tab(LEASE, held('other'));
  mute.on('seek');
  const renewed = ms => why(mute.election, { type: 'lease' }, 1_000 + ms, held('other', { expires: 2_000 + ms }));
  for (let ms = 400; ms < 10_000; ms += 400) assert.equal(renewed(ms), undefined, `after ${ms} ms`);
  assert.match(renewed(10_000), /does not answer; close or reload that tab/);
});

// At stake: events come late, twice and out of turn, and a machine that throws or contradicts itself leaves its tab without a hub.
test('whatever comes when, it never throws, never hosts twice or in a page that was put aside, and uses nothing that is missing', () => {
  for (let run = 0; run < FUZZ_RUNS; run++) fuzz(run);
});

function fuzz(run) {
  const random = randomFrom(run);
  const pick = (...list) => list[Math.floor(random() * list.length)];
  const means = { locks: random() < 0.5, lease: random() < 0.8, channel: random() < 0.8, patienceMs: 1_000 };
  const election = new Election('me', means);
  const state = { lease: null, hosts: false, shown: true, closed: false, now: 0 };
  const event = type => ({ type, hub: pick('hub1', 'hub2', ''), state: pick('refused', 'lost', ...means.locks ? ['granted'] : []), visible: random() < 0.5, epoch: pick(0, 1, 9) });
  for (let n = 0; n < 60; n++) {
    const { type, ...more } = event(pick('seek', 'seek', 'here', 'lock', 'lock', 'lease', 'wake', 'wake', 'tick', 'visible', 'hide', 'show', 'show', 'hosting', 'elsewhere', 'ended', random() < 0.1 ? 'close' : 'wake'));
    state.now = type === 'wake' ? Math.max(state.now, election.wakeAt ?? 0) : state.now + pick(0, 1, 100, 5_000);
    if (random() < 0.2) state.lease = pick(null, held(pick('', 'me', 'other', 'third'), { epoch: pick(0, 3, 50), expires: pick(0, state.now, 1e15) }));
    if (type === 'hide' || type === 'show') state.shown = type === 'show';
    if (type === 'ended') state.hosts = false;
    state.closed ||= type === 'close';
    const actions = election.handle({ type, ...more }, state.now, means.lease ? state.lease : null);
    check(actions, state, means, `run ${run}, event ${n}, ${type}`);
    assert.equal(election.role === 'leader', state.hosts, `run ${run}, event ${n}: the role`);
    assert.ok(!(election.wakeAt <= state.now), `run ${run}, event ${n}: wakes in the past`);
  }
}

function check(actions, state, { locks, lease, channel }, where) {
  for (const action of actions) {
    const isAllowed = {
      ask: channel, follow: channel, probe: locks && state.shown, steal: locks && state.shown, release: locks, write: lease,
      host: state.shown && !state.closed && !state.hosts, unhost: true, lost: true, unreachable: true,
    }[action.type];
    assert.ok(isAllowed, `${where}: ${action.type}`);
    if (action.type === 'host' || action.type === 'unhost') state.hosts = action.type === 'host';
    if (action.type === 'write') state.lease = action.lease;
  }
}

// At stake: all of it at once. One hub for all tabs within a bound after the last fault, no second one beside it that commits, no
// ping-pong, nothing stolen twice, no hub in a page that was put aside, and a tab that closes hands over at once.
nodeTest('whatever befalls the tabs, they find one hub and keep it', { timeout: 1_800_000 }, t => {
  const [from, to] = SEEDS.split('..').map(Number);
  const totals = {};
  const slowest = {};
  for (let seed = from; seed < to; seed++) {
    const { violations, counts, figures } = runSeed(seed, { Machine: Election, ...to === from + 1 && { trace: console.log } });
    assert.deepEqual(violations, [], `seed ${seed}; each step of it: ELECTION_SEEDS=${seed}..${seed + 1} node --test tests/js/election.test.mjs`);
    for (const [what, n] of Object.entries(counts)) totals[what] = (totals[what] ?? 0) + n;
    for (const [what, n] of Object.entries(figures)) slowest[what] = Math.max(slowest[what] ?? 0, n);
  }
  t.diagnostic(`${to - from} seeds: ${JSON.stringify(totals)}, at most ${JSON.stringify(slowest)}`);
  if (to - from < 1_000) return;
  for (const [what, n] of Object.entries(totals)) assert.ok(n > 0, `nothing of this kind ever happened: ${what}`);
});

/** Machines with one of their rules taken out, from outside. */
class Unsettled extends Election {
  handle(event, now, lease) {
    const actions = super.handle(event, now, lease);
    const claim = this.role === 'none' && actions.find(({ type, lease }) => type === 'write' && lease.holder);
    return claim ? [...actions, ...super.handle({ type: 'wake' }, now + 80, claim.lease)] : actions;
  }
}

class Trusting extends Election {
  #looks = 0;
  handle(event, now, lease) { return super.handle(event, now, lease?.holder ? { ...lease, expires: now + ++this.#looks } : lease); }
}

class Forgetful extends Election {
  #steals = 0;
  constructor(id, means) { super(id, means); this.id = id; }
  handle(event, now, lease) {
    const isOther = lease?.holder && lease.holder !== this.id;
    const actions = super.handle(event, now, isOther ? { ...lease, holder: `${lease.holder} ${this.#steals}` } : lease);
    if (actions.some(({ type }) => type === 'steal')) this.#steals += 1;
    return actions;
  }
}

class Staying extends Election {
  handle(event, now, lease) { return super.handle(event.type === 'hide' ? { type: 'wake' } : event, now, lease); }
}

const CONTROLS = [
  { fault: 'hubs whose commits check no epoch', options: { Machine: Election, isFenced: false }, complaint: /commits with epoch \d+, the newest is/ },
  { fault: 'tabs that do not wait for a claim to settle', options: { Machine: Unsettled }, complaint: /hubs opened after the last fault|tabs hosted after one closed/ },
  { fault: 'tabs that take every lease for fresh', options: { Machine: Trusting }, complaint: /not all tabs have the same hub/ },
  { fault: 'tabs that forget whom they stole from', options: { Machine: Forgetful }, complaint: /steals a second time/ },
  { fault: 'tabs that do not resign when they are put aside', options: { Machine: Staying }, complaint: /hosts although its page is put aside/ },
];

for (const { fault, options, complaint } of CONTROLS) {
  nodeTest(`the simulation notices ${fault}`, { timeout: 120_000 }, t => {
    for (let seed = 0; seed < CONTROL_SEEDS; seed++) {
      if (runSeed(seed, options).violations.some(violation => complaint.test(violation))) return t.diagnostic(`seed ${seed}`);
    }
    assert.fail(`no seed of ${CONTROL_SEEDS} showed it`);
  });
}
