// At stake: a benchmark that flatters. A goal that is missed must be said to be missed, whichever way a figure counts, and a peer that failed or
// did not take part must neither lead nor lag.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GOALS, GROUPS } from '../../hub-js/build/bench/goals.mjs';
import { judge, rank } from '../../hub-js/build/bench/judge.mjs';
import { FIGURES } from '../../hub-js/build/bench/scenarios/index.mjs';

const ack = { strict: 'stored', relaxed: 'stored' };
const PEERS = [
  { id: 'tabhub', name: 'tabhub', storage: 'indexeddb', engine: 'sqlite', ack },
  { id: 'raw-indexeddb', name: 'raw', storage: 'indexeddb', engine: 'none', ack },
  { id: 'other', name: 'other', storage: 'indexeddb', engine: 'sqlite', ack },
];

const judged = (values, figure, peers = PEERS) => judge(FIGURES.filter(({ id }) => id === figure), { values: { [figure]: values } }, peers);
const against = (goals, group) => goals.find(({ goal }) => goal.against === group);

test('every goal names a figure and a group that exist', () => {
  for (const { figure, of, against } of GOALS) {
    assert.ok(FIGURES.some(({ id }) => id === figure), `there is no figure ${figure}`);
    if (of) assert.ok(FIGURES.some(({ id }) => id === of), `there is no figure ${of}`);
    if (against) assert.ok(GROUPS[against], `there is no group "${against}"`);
  }
});

test('of a time, less is faster', () => {
  const [met] = judged({ tabhub: [10, 10, 10], 'raw-indexeddb': [25, 20, 30] }, 'A.insert');
  assert.deepEqual([met.isMet, met.speed.median, met.rival], [true, 2.5, 'raw']);
  const [missed] = judged({ tabhub: [10, 10, 10], 'raw-indexeddb': [5, 5, 5] }, 'A.insert');
  assert.deepEqual([missed.isMet, missed.speed.median], [false, 0.5]);
});

test('of a rate, more is faster', () => {
  const goals = judged({ tabhub: [900, 900, 900], 'raw-indexeddb': [1000, 1000, 1000], other: [250, 250, 250] }, 'B.strict');
  assert.deepEqual([against(goals, 'raw IndexedDB').isMet, against(goals, 'raw IndexedDB').speed.median], [true, 0.9]);
  assert.deepEqual([against(goals, 'every SQLite on IndexedDB').isMet, against(goals, 'every SQLite on IndexedDB').speed.median], [true, 3.6]);
});

test('tabhub is held against the best of a group, never against itself', () => {
  const [goal] = judged({ tabhub: [10], 'raw-indexeddb': [100], other: [15] }, 'A.insert');
  assert.deepEqual([goal.rival, goal.isMet], ['other', false]);
});

test('a peer without figures holds nobody back, and a goal without a rival is neither met nor missed', () => {
  const [goal] = judged({ tabhub: [10] }, 'A.insert');
  assert.equal(goal.isMet, undefined);
  assert.match(goal.missing, /nobody/);
});

test('a peer that is not durable is no rival among the durable ones', () => {
  const peers = PEERS.map((peer) => (peer.id === 'other' ? { ...peer, ack: { ...ack, strict: null } } : peer));
  const [goal] = judged({ tabhub: [10], 'raw-indexeddb': [20], other: [1] }, 'D.insert', peers);
  assert.deepEqual([goal.rival, goal.isMet], ['raw', true]);
});

test('a peer that lost what it had acknowledged is no rival where that counts', () => {
  const figures = FIGURES.filter(({ id }) => id === 'B.relaxed');
  const valuesWith = (lost) => ({ 'B.relaxed': { tabhub: [9], other: [100] }, 'K.relaxed': { other: [0, lost] } });
  const rivalWith = (lost) => against(judge(figures, { values: valuesWith(lost) }, PEERS), 'every SQLite on IndexedDB').rival;
  assert.deepEqual([rivalWith(0), rivalWith(1)], ['other', undefined]);
});

test('one lost row in one round is one too many', () => {
  const [goal] = judged({ tabhub: [0, 0, 1] }, 'K.strict');
  assert.equal(goal.isMet, false);
});

test('ratios are taken round by round', () => {
  const figure = FIGURES.find(({ id }) => id === 'A.insert');
  const [first, second] = rank(figure, { values: { 'A.insert': { tabhub: [10, 20, 40], other: [20, 40, 80] } } }, PEERS);
  assert.equal(first.peer.id, 'tabhub');
  assert.deepEqual(second.to_best, { median: 2, min: 2, max: 2 });
});

test('of two rounds the figure is halfway between them', () => {
  const [goal] = judged({ tabhub: [10, 10], 'raw-indexeddb': [20, 40] }, 'A.insert');
  assert.deepEqual(goal.speed, { median: 3, min: 2, max: 4 });
});

test('a peer that was played once is compared in that round alone', () => {
  const [goal] = judged({ tabhub: [10, 1, 1], 'raw-indexeddb': [30] }, 'A.insert');
  assert.deepEqual(goal.speed, { median: 3, min: 3, max: 3 });
});
