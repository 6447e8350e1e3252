/**
 * The README's table of errors, for the tests that meet one: what is documented is what is said. Called by tests/js and tests/e2e;
 * `tests/support/documented.rs` is the same for the hub's side, and tidy.test.mjs sees to it that no row is left out.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');

/** The code and the message of each row; `…` stands for what varies. */
export const DOCUMENTED = new Map([...readme.matchAll(/^\| `((?:HUB|SQLITE)_\w+)`[^|]* \| ([^|]+) \|/gm)].map(([, code, message]) => [code, message]));

/** Asserts that the error has this code, and the message that the README shows for it. */
export function documented(code, error) {
  const literal = DOCUMENTED.get(code).split('…').map(part => part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'));
  assert.equal(error.code, code, error.message);
  assert.match(error.message, new RegExp(`^${literal.join('.+')}$`, 's'));
}
