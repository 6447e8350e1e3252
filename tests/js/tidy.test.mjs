// At stake: two lists of one thing that part unnoticed: codes, messages, options and calls, in Rust, in TypeScript and in the README.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ROOT } from './client.mjs';
import { DOCUMENTED, documented } from './documented.mjs';

const text = (path) => readFileSync(join(ROOT, path), 'utf8');
const found = (source, pattern) => [...new Set([...source.matchAll(pattern)].map(([, name]) => name))].sort();
const between = (source, from, to) => {
  const start = source.indexOf(from);
  assert.ok(start >= 0, from);
  return source.slice(start, source.indexOf(to, start));
};

const readme = text('README.md');
const codes = found(between(text('hub-js/errors.ts'), 'export type HubErrorCode', ';'), /'(HUB_\w+)'/g);

test('every code that the hub can answer is one of the client, and each of those stands in the table of errors', () => {
  const known = new Set(codes);
  for (const file of ['src/error.rs', 'src/hub/once.rs', 'src/web/mod.rs']) assert.deepEqual(found(text(file), /"(HUB_\w+)"/g).filter((code) => !known.has(code)), [], file);
  assert.deepEqual(found(between(readme, '### Errors', '### SQL that differs'), /`(HUB_\w+)`/g), codes);
});

test('what the table says of each code is compared with the real message by a test', () => {
  const tests = readdirSync(join(ROOT, 'tests'), { recursive: true }).filter(name => /\.test\.mjs$|^\w+\.rs$/.test(name) && !name.endsWith('tidy.test.mjs'));
  const compared = found(tests.map(name => text(join('tests', name))).join('\n'), /\bdocumented\(['"](\w+)['"],/g);
  assert.deepEqual([...DOCUMENTED.keys()].filter(code => !compared.includes(code)), []);
  assert.deepEqual(codes.filter(code => !DOCUMENTED.has(code)), []);
});

test('a message that is not the documented one fails', () => {
  const message = DOCUMENTED.get('HUB_SCHEMA_NEWER').replaceAll('…', '7');
  documented('HUB_SCHEMA_NEWER', { code: 'HUB_SCHEMA_NEWER', message });
  for (const other of [{ code: 'HUB_FORMAT', message }, { code: 'HUB_SCHEMA_NEWER', message: `${message}.` }, { code: 'HUB_SCHEMA_NEWER', message: message.replace('7', '') }]) {
    assert.throws(() => documented('HUB_SCHEMA_NEWER', other), assert.AssertionError);
  }
});

test('operations and answers are the same on both sides of the port', () => {
  const protocol = text('hub-js/protocol.ts');
  const operations = found(between(protocol, 'export type Op =', 'export interface Response'), /^ {2}\| \{ (\w+):/gm);
  assert.deepEqual(found(between(text('src/wire/op.rs'), 'fn read_op', 'unknown operation'), /^ {8}"(\w+)" =>/gm), operations);
  const answers = found(between(protocol, 'export interface Bodies', '\n}'), /^ {2}(\w+):/gm);
  assert.deepEqual(found(between(text('src/wire/body.rs'), 'fn write_body', '\nfn '), /Body::\w+(?:\(\w+\))? =>[^"]*"(\w+)"/g), answers);
});

test('every golden frame that there should be is there', () => {
  const names = (direction) => found(readdirSync(join(ROOT, 'tests/wire_golden')).join('\n'), new RegExp(`^${direction}_([a-z]+)`, 'gm'));
  const protocol = text('hub-js/protocol.ts');
  assert.deepEqual(names('request'), found(between(protocol, 'export type Op =', 'export interface Response'), /^ {2}\| \{ (\w+):/gm));
  assert.deepEqual(names('response'), found(between(protocol, 'export interface Bodies', '\n}'), /^ {2}(\w+):/gm));
});

test('the calls of a database are in the README', () => {
  const methods = found(between(text('hub-js/client.ts'), 'export class Database', '\n}\n').concat(between(text('hub-js/queries.ts'), 'export abstract class', '\n}\n')), /^ {2}(?:async )?(\w+)(?:<[^(]*)?\(/gm);
  const calls = between(readme, '### Calls', '### Options');
  assert.deepEqual(methods.filter((name) => name !== 'constructor' && !new RegExp(`\\bdb\\.${name}\\b`).test(calls)), []);
});

test('every crate comes from the one registry, under a licence that deny.toml allows', () => {
  const allowed = found(between(text('deny.toml'), 'allow = [', ']'), /"([^"]+)"/g);
  const isFree = licence => licence.split(' AND ').every(part => part.replace(/[()]/g, '').split(/ OR | ?\/ ?/).some(id => allowed.includes(id)));
  for (const platform of ['host-tuple', 'wasm32-unknown-unknown']) {
    const args = ['metadata', '--format-version', '1', '--locked', '--all-features', '--filter-platform', platform];
    const { packages } = JSON.parse(execFileSync('cargo', args, { cwd: ROOT, encoding: 'utf8', maxBuffer: 2 ** 26, timeout: 60_000 }));
    assert.ok(packages.length > 20, `${packages.length} packages`);
    assert.deepEqual(packages.filter(({ license }) => !license || !isFree(license)).map(({ name, license }) => `${name}: ${license}`), []);
  }
  assert.equal(found(text('Cargo.lock'), /^source = "(.+)"$/gm).length, 1);
});
