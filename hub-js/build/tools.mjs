/**
 * Where things lie, and how the build scripts run a program: with visible output, a deadline, and an error that says what failed.
 * Every script of this folder uses it. It needs nothing but Node, because it also runs before `npm ci`.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../../', import.meta.url));
export const DIST = join(ROOT, 'dist');
/** What wasm-bindgen writes: `tabhub.js` (the glue, imported by the worker as `tabhub-wasm`), its types, and the raw wasm. */
export const GLUE = join(ROOT, 'target', 'wasm-bindgen');
/** Tools that are built once and shared by all clones. TABHUB_CACHE moves it. */
export const CACHE = process.env.TABHUB_CACHE || join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'tabhub');
export const MINUTE = 60_000;
/** Options of cargo for tests that run for long: the crate itself is optimized, and what it depends on is what the other tests have compiled already. */
export const OPTIMIZED = ['--features', 'client', '--config', 'profile.dev.opt-level=2', '--config', 'profile.dev.package."*".opt-level=0'];

/** An error that is meant for the person at the terminal: shown without a stack. */
export class BuildError extends Error {}

/** Time a program has to end its own children (the browser tests: their browsers) between SIGTERM and SIGKILL. */
const GRACE = 5_000;
const running = new Set();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.once(signal, () => {
    for (const child of running) signalGroup(child, 'SIGTERM');
    process.exit(1);
  });
}

/**
 * Runs a program to its end, its output passed through. It gets a process group of its own, so that a deadline ends its children too.
 * @param {string[]} command
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv, deadline?: number, capture?: boolean }} [options] `capture` returns stdout instead of showing it
 */
export function run(command, { cwd = ROOT, env = process.env, deadline = 10 * MINUTE, capture = false } = {}) {
  const shown = command.join(' ');
  return new Promise((resolve, reject) => {
    const child = spawn(command[0], command.slice(1), { cwd, env, detached: true, stdio: ['ignore', capture ? 'pipe' : 'inherit', 'inherit'] });
    running.add(child);
    let output = '';
    let late = false;
    child.stdout?.setEncoding('utf8').on('data', (text) => (output += text));
    let timer = setTimeout(() => {
      late = true;
      signalGroup(child, 'SIGTERM');
      timer = setTimeout(() => signalGroup(child, 'SIGKILL'), GRACE);
    }, deadline);
    const settle = (failure) => {
      clearTimeout(timer);
      running.delete(child);
      if (failure) reject(new BuildError(failure));
      else resolve(output);
    };
    child.on('error', (error) => settle(`cannot run \`${shown}\`: ${error.message}`));
    child.on('close', (code, signal) => {
      if (late) settle(`\`${shown}\` was still running after ${duration(deadline)} and was stopped`);
      else settle(code === 0 ? undefined : `\`${shown}\` ended with ${signal ?? `exit code ${code}`}`);
    });
  });
}

function signalGroup(child, signal) {
  try {
    process.kill(-child.pid, signal);
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}

/** Is there a program of this name on PATH? */
export function isInstalled(program) {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => existsSync(join(folder, program)));
}

/** For compiling to wasm: panics name source files, and neither this machine's paths nor their length belong into the download. */
export function wasmEnv() {
  const cargoHome = process.env.CARGO_HOME || join(homedir(), '.cargo');
  const own = process.env.CARGO_ENCODED_RUSTFLAGS?.split('\x1f') ?? process.env.RUSTFLAGS?.split(/\s+/) ?? [];
  const flags = [...own.filter(Boolean), `--remap-path-prefix=${join(cargoHome, 'registry', 'src')}=crates`];
  return { ...process.env, CARGO_ENCODED_RUSTFLAGS: flags.join('\x1f') };
}

/** SHA-256 over files and plain texts, in the order given. */
export function digest(files, ...texts) {
  const hash = createHash('sha256');
  for (const file of files) hash.update(readFileSync(file));
  for (const text of texts) hash.update(`\0${text}`);
  return hash.digest('hex');
}

export function duration(ms) {
  if (ms < 10_000) return `${(ms / 1000).toFixed(1)} s`;
  return ms < 2 * MINUTE ? `${Math.round(ms / 1000)} s` : `${(ms / MINUTE).toFixed(1)} min`;
}

/** Runs a script's main function when that script is the one started by Node; a BuildError ends it with its message alone. */
export async function runAsScript(url, main) {
  if (process.argv[1] !== fileURLToPath(url)) return;
  try {
    await main(process.argv.slice(2));
  } catch (error) {
    console.error(`\n✗ ${error instanceof BuildError ? error.message : error.stack}`);
    process.exitCode = 1;
  }
}
