// At stake: an app that takes an evicted database for a new user's, or a new user's for an evicted one.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { find, forget } from './client.mjs';

const at = (epoch, commit, hub = `hub-${epoch}`) => ({ hub, epoch, commit });

function notes() {
  const map = new Map();
  return { getItem: (key) => map.get(key) ?? null, setItem: (key, value) => { map.set(key, value); } };
}

test('a database is new once, whatever hub and however many tabs see it first, and stored from then on', () => {
  const stored = notes();
  assert.deepEqual([find(stored, 'a', at(1, 0)), find(stored, 'a', at(1, 0)), find(stored, 'a', at(1, 3)), find(stored, 'a', at(2, 0))], ['new', 'new', 'stored', 'stored']);
  assert.equal(find(stored, 'b', at(1, 0)), 'new', 'another one is another one');
});

test('one that begins anew under another hub was lost, unless it was deleted on purpose', () => {
  const stored = notes();
  find(stored, 'a', at(4, 90));
  assert.deepEqual([find(stored, 'a', at(1, 0, 'x')), find(stored, 'a', at(1, 0, 'x'))], ['lost', 'new'], 'said once');
  forget(stored, 'a');
  assert.equal(find(stored, 'a', at(1, 0, 'y')), 'new');
});

test('without notes, or where they cannot be written, nothing is claimed', () => {
  assert.deepEqual([find(null, 'a', at(1, 0)), find(null, 'a', at(3, 0))], ['new', 'stored']);
  const full = { getItem: () => null, setItem: () => { throw new Error('QuotaExceededError'); } };
  assert.equal(find(full, 'a', at(1, 0)), 'new');
});
