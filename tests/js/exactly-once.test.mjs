/**
 * Nothing is applied twice and nothing is forgotten, whatever happens to the hubs: random schedules of calls, of hubs that die before and
 * after they carried out and answered, and of hubs that do not come up. fast-check prints the seed and the shortest schedule that fails.
 */
import assert from 'node:assert/strict';
import nodeTest from 'node:test';
import fc from 'fast-check';
import { Model } from './model-hub.mjs';
import { createWorld, later, settle, test, within } from './world.mjs';

const RUNS = 1_000;
/** More than a session gives a request of hubs, and than it takes to be lost. */
const DRAIN_ROUNDS = 400;

const turn = () => new Promise(resolve => setImmediate(resolve));

const action = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom('run', 'impatient run', 'exec', 'batch', 'read', 'transaction') },
  { weight: 6, arbitrary: fc.constantFrom('step', 'say') },
  { weight: 2, arbitrary: fc.constantFrom('die', 'speak as another', 'refuse the next') },
  { weight: 2, arbitrary: fc.record({ wait: fc.integer({ min: 1, max: 3_000 }) }) },
  { weight: 1, arbitrary: fc.record({ abort: fc.nat({ max: 30 }) }) },
);
/** Each with how many turns the channels get before the next. */
const schedule = fc.array(fc.tuple(action, fc.nat({ max: 4 })), { minLength: 5, maxLength: 60 });

/** One schedule in one world. */
class Run {
  calls = [];

  constructor(world, model, db) { Object.assign(this, { world, model, db, refusals: 0 }); }

  static async start(t, faults) {
    const model = new Model(faults);
    const world = createWorld(t, model.script);
    const run = new Run(world, model, await world.open());
    const { connect } = world.env;
    world.env.connect = (...args) => {
      if (run.refusals-- > 0) throw new Error('no process for a worker');
      run.refusals = 0;
      return connect(...args);
    };
    return run;
  }

  act(action) {
    const { world, model } = this;
    if (typeof action === 'object') return 'wait' in action ? world.advance(action.wait) : this.calls[action.abort]?.abort.abort();
    switch (action) {
      case 'step': return model.step(world.hub);
      case 'say': return model.say(world.hub);
      case 'die': return world.hub.die();
      case 'speak as another': return speakAsAnother(world.hub);
      case 'refuse the next': this.refusals += 1; return;
      default: this.call(action);
    }
  }

  call(kind) {
    const text = `${kind === 'read' ? 'SELECT' : 'INSERT'} ${this.calls.length}`;
    const abort = new AbortController();
    const { signal } = abort;
    const { db } = this;
    const begin = {
      run: () => db.run(text, [], { signal }), 'impatient run': () => db.run(text, [], { signal, timeout: 1 }), exec: () => db.exec(text, { signal }), batch: () => db.batch([text], { signal }).then(([result]) => result),
      read: () => db.query(text, [], { signal }), transaction: () => db.transaction(tx => tx.run(text), { signal }),
    };
    const call = { kind, text, abort };
    call.promise = later(begin[kind]().then(result => { call.result = result; }, error => { call.error = error; }));
    this.calls.push(call);
  }

  /** From now on hubs live, and work as fast as they can. */
  async drain() {
    this.refusals = 0;
    const settled = call => 'result' in call || 'error' in call;
    for (let round = 0; round < DRAIN_ROUNDS && !this.calls.every(settled); round++) {
      this.model.step(this.world.hub);
      this.model.say(this.world.hub);
      if (round % 10 === 9) this.world.advance(1_000);
      await turn();
    }
    for (const call of this.calls) assert.ok(settled(call), `${call.text} (${call.kind}) was never answered`);
  }

  check() {
    const { applied, complaints } = this.model;
    assert.deepEqual(complaints, []);
    for (const call of this.calls) checkCall(call, applied);
    const single = new Set(this.calls.filter(({ kind }) => kind !== 'transaction').map(({ text }) => text));
    const order = applied.filter(text => single.has(text)).map(text => Number(text.split(' ')[1]));
    assert.deepEqual(order, [...order].sort((a, b) => a - b), 'in the order of the calls');
  }
}

/** The caller is told the truth about what was applied. */
function checkCall({ kind, text, result, error }, applied) {
  const times = applied.filter(other => other === text).length;
  const allowed = kind === 'read' ? [0] : !error || error.outcome === 'applied' ? [1] : error.outcome === 'unknown' ? [0, 1] : [0];
  assert.ok(allowed.includes(times), `${text} (${kind}) was applied ${times} times, its caller was told ${error ? `${error.code}, ${error.outcome}` : 'that it was'}`);
  if (result && !['read', 'transaction'].includes(kind)) assert.equal(result.lastInsertRowid, applied.indexOf(text) + 1, `${text} got the reply of another`);
}

/** WebKit's way: a new hub answers on the port of one that is gone. */
function speakAsAnother(hub) {
  hub.instance += '-respawned';
  hub.reply(0, { log: { level: 'info', message: 'here' } });
  hub.die();
}

/** The property, of a hub with or without faults. */
const exactlyOnce = faults => fc.asyncProperty(schedule, async steps => {
  const ends = [];
  try {
    const run = await Run.start({ after: end => ends.push(end) }, faults);
    for (const [action, turns] of steps) {
      run.act(action);
      for (let left = turns; left > 0; left--) await turn();
    }
    await run.drain();
    run.check();
  } finally {
    ends.forEach(end => end());
  }
});

nodeTest('whatever happens to the hubs, each write is applied once, in order, and each caller is told the truth', { timeout: 120_000 }, async () => {
  await fc.assert(exactlyOnce(), { numRuns: RUNS });
});

for (const [faults, complaint] of [[{ forgets: true }, /applied [2-9] times|got the reply of another/], [{ reverses: true }, /in the order of the calls/]]) {
  nodeTest(`the check notices a hub that ${Object.keys(faults)[0]}`, { timeout: 120_000 }, async () => {
    const { failed, errorInstance } = await fc.check(exactlyOnce(faults), { numRuns: RUNS, endOnFailure: true });
    assert.ok(failed, 'no schedule showed it');
    assert.match(errorInstance.message, complaint);
  });
}

test('a write between whose carrying out and whose reply the hub dies is applied once', async t => {
  const run = await Run.start(t);
  run.call('run');
  await settle();
  run.model.step(run.world.hub);
  run.world.hub.die();
  await settle();
  run.model.say(run.world.hub);
  await within(run.calls[0].promise, 'the write');
  run.check();
  assert.deepEqual([run.model.applied, run.calls[0].result], [['INSERT 0'], { changes: 1, lastInsertRowid: 1 }]);
});
