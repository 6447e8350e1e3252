/**
 * `npm test [-- --only name,name]`: set-up, then every check in order, each with a deadline; stops at the first that fails.
 * `.ci/run` calls it. The runners' output passes through untouched.
 */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { build } from './build.mjs';
import { document } from './docs.mjs';
import { setup } from './setup.mjs';
import { simulate } from './sim.mjs';
import { BuildError, duration, isInstalled, MINUTE, OPTIMIZED, ROOT, run, runAsScript, wasmEnv } from './tools.mjs';

const BIN = join(ROOT, 'node_modules', '.bin');
/** Tests in Rust that run for longer than it takes to optimize them. */
const LONG = ['faults', 'sim', 'slt'];

const STEPS = [
  { name: 'fmt', act: () => run(['cargo', 'fmt', '--check']) },
  { name: 'lint', act: lint },
  { name: 'clippy', act: clippy },
  { name: 'docs', act: document },
  { name: 'rust', act: testRust },
  { name: 'sim', act: () => simulate({ seeds: 2000 }) },
  { name: 'build', act: build },
  { name: 'types', act: checkTypes },
  { name: 'js', act: () => testNode('tests/js', 5 * MINUTE) },
  { name: 'e2e', act: () => testNode('tests/e2e', 40 * MINUTE) },
];

/** What biome.jsonc says of the scripts and pages, and deny.toml of the crates. */
async function lint() {
  await run([join(BIN, 'biome'), 'lint', '--error-on-warnings']);
  if (isInstalled('cargo-deny')) await run(['cargo', 'deny', 'check', 'bans', 'licenses', 'sources']);
  else console.log('cargo-deny is not installed: tidy.test.mjs looks at the licences of the crates, and nothing at their versions');
}

/** On every target. Two at once, because each waits long for SQLite's C, which one core compiles. */
async function clippy() {
  const check = (env, ...which) => run(['cargo', 'clippy', ...which, '--', '-D', 'warnings'], { deadline: 20 * MINUTE, env });
  const checkWasm = (...which) => check(wasmEnv(), '--lib', '--target', 'wasm32-unknown-unknown', ...which);
  // As front-ends have it: without the hub.
  const debug = check(process.env, '--all-targets', '--features', 'client').then(() => checkWasm('--no-default-features', '--features', 'client'));
  // In the release profile, so that the build after it finds SQLite's C compiled already.
  await Promise.all([debug, checkWasm('--release')]);
}

/** The sources, and then what the built declarations promise. */
async function checkTypes() {
  for (const project of ['.', 'tests/types']) await run([join(BIN, 'tsc'), '-p', join(ROOT, project), '--noEmit']);
}

async function testRust() {
  // The step after this one has more of the simulation.
  const options = { deadline: 20 * MINUTE, env: { ...process.env, SIM_SEEDS: '0..20' } };
  if (!isInstalled('cargo-nextest')) return run(['cargo', 'test', '--features', 'client'], options);
  const long = LONG.map((name) => `binary(${name})`).join(' | ');
  await run(['cargo', 'nextest', 'run', '--features', 'client', '-E', `not (${long})`], options);
  await run(['cargo', 'nextest', 'run', ...OPTIMIZED, ...LONG.flatMap((name) => ['--test', name])], options);
  await run(['cargo', 'test', '--doc', '--features', 'client'], { deadline: 10 * MINUTE });
}

/** One file at a time: the browser tests would take the two cores from each other, and their deadlines with them. */
async function testNode(folder, deadline) {
  const files = existsSync(join(ROOT, folder)) ? readdirSync(join(ROOT, folder), { recursive: true }).filter((name) => name.endsWith('.test.mjs')) : [];
  if (files.length === 0) throw new BuildError(`${folder} holds no *.test.mjs`);
  const options = ['--test', '--test-concurrency=1', '--test-reporter=spec'];
  await run(['node', ...options, ...files.sort().map((name) => join(folder, name))], { deadline });
}

function chosen(args) {
  const { values } = parseArgs({ args, options: { only: { type: 'string', default: '' } } });
  const names = values.only.split(',').filter(Boolean);
  const unknown = names.filter((name) => !STEPS.some((step) => step.name === name));
  if (unknown.length > 0) throw new BuildError(`--only ${unknown.join(',')}: the steps are ${STEPS.map((step) => step.name).join(', ')}`);
  return names.length === 0 ? STEPS : STEPS.filter((step) => names.includes(step.name));
}

runAsScript(import.meta.url, async (args) => {
  const steps = chosen(args);
  const begun = Date.now();
  await setup({ tests: true });
  const times = [];
  for (const { name, act } of steps) {
    const stepBegun = Date.now();
    console.log(`\n═══ ${name}`);
    try {
      await act();
    } catch (error) {
      throw new BuildError(`step "${name}" failed after ${duration(Date.now() - stepBegun)}: ${error.message}\n  Alone: npm test -- --only ${name}`);
    }
    times.push(`${name} ${duration(Date.now() - stepBegun)}`);
  }
  console.log(`\n✓ ${times.join(' · ')} · in all ${duration(Date.now() - begun)}`);
});
