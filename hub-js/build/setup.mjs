/**
 * Installs what building and testing need, one named step after the other, each skipped when it is done already.
 * `npm run setup [-- --tests]`, and the first thing that build, start and test do. Needs nothing but Node.
 * It never installs Rust or Node, and never touches anything outside apt, rustup, node_modules and the cache folder.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BuildError, CACHE, digest, duration, isInstalled, MINUTE, ROOT, run, runAsScript } from './tools.mjs';

const WASM_TARGET = 'wasm32-unknown-unknown';

/** System packages: the program looked for, the Debian package that brings it, who needs it, and what for. */
const PACKAGES = [
  { program: 'cc', name: 'build-essential', for: 'build', reason: 'cargo links Rust build scripts with it' },
  { program: 'clang', name: 'clang', for: 'build', reason: "it compiles SQLite's C to WebAssembly" },
  { program: 'llvm-ar', name: 'llvm', for: 'build', reason: 'it packs the WebAssembly objects of SQLite' },
  { program: 'chromium', name: 'chromium', for: 'tests', reason: 'the browser tests run in it' },
  { program: 'firefox-esr', name: 'firefox-esr', for: 'tests', reason: 'the browser tests that kill something run in it too' },
  // MiniBrowser, which the tests start, lies on no PATH; the package's other program does.
  { program: 'WebKitWebDriver', name: 'webkit2gtk-driver', for: 'tests', reason: 'one browser test runs in its MiniBrowser' },
  { program: 'Xvfb', name: 'xvfb', for: 'tests', reason: 'MiniBrowser needs a screen' },
  { program: 'sqlite3', name: 'sqlite3', for: 'tests', reason: 'the browser tests compare with the native SQLite' },
];

const STEPS = [
  { name: 'npm packages', of: 'npm', for: 'build', remedy: 'check that the npm registry is reachable, then run `npm ci`', isDone: hasNpmPackages, act: installNpmPackages },
  { name: 'Rust', of: 'cargo', for: 'build', remedy: 'install rustup with a Rust not older than `rust-version` in Cargo.toml, and put cargo on PATH', isDone: () => isInstalled('cargo'), act: noCargo },
  { name: 'WebAssembly target', of: 'cargo', for: 'build', remedy: `run \`rustup target add ${WASM_TARGET}\``, isDone: hasWasmTarget, act: () => run(['rustup', 'target', 'add', WASM_TARGET]) },
  { name: 'system packages', of: 'cargo', for: 'build', remedy: 'install them by hand', isDone: () => missing('build').length === 0, act: () => installPackages('build') },
  { name: 'system packages for tests', of: 'cargo', for: 'tests', remedy: 'install them by hand', isDone: () => missing('tests').length === 0, act: () => installPackages('tests') },
  { name: 'wasm-bindgen CLI', of: 'cargo', for: 'build', remedy: 'check that cargo can reach its registry, then start again', isDone: hasWasmBindgen, act: installWasmBindgen },
];

/** Does every step that is not done yet. `tests`: also what only the tests need. `of`: only what 'npm' or 'cargo' works with, neither of which needs the other. */
export async function setup({ tests = false, of } = {}) {
  for (const step of STEPS.filter((step) => (tests || step.for === 'build') && (of === undefined || of === step.of))) {
    if (await step.isDone()) continue;
    const begun = Date.now();
    console.log(`→ set-up: ${step.name}`);
    try {
      await step.act();
      if (!(await step.isDone())) throw new BuildError('it ran, but what it should install is still missing');
    } catch (error) {
      throw new BuildError(`set-up step "${step.name}" failed: ${error.message}\n  What to do: ${error.remedy ?? step.remedy}`);
    }
    console.log(`✓ set-up: ${step.name} (${duration(Date.now() - begun)})`);
  }
}

const LOCK = join(ROOT, 'package-lock.json');
const LOCK_STAMP = join(ROOT, 'node_modules', '.tabhub-lock');

/** `npm ci` deletes node_modules first, so the stamp in it tells of the last one that ended well. No package here needs its install script. */
function hasNpmPackages() {
  return existsSync(LOCK_STAMP) && readFileSync(LOCK_STAMP, 'utf8') === digest([LOCK]);
}

async function installNpmPackages() {
  await run(['npm', 'ci', '--ignore-scripts', '--no-audit', '--no-fund']);
  writeFileSync(LOCK_STAMP, digest([LOCK]));
}

function noCargo() {
  throw new BuildError('there is no cargo on PATH');
}

async function hasWasmTarget() {
  const folder = await run(['rustc', '--print', 'target-libdir', '--target', WASM_TARGET], { capture: true });
  return existsSync(folder.trim());
}

function missing(purpose) {
  return PACKAGES.filter((wanted) => wanted.for === purpose && !isInstalled(wanted.program));
}

async function installPackages(purpose) {
  const wanted = missing(purpose);
  for (const { name, reason } of wanted) console.log(`  ${name}: ${reason}`);
  const names = wanted.map(({ name }) => name);
  if (!isInstalled('apt-get')) throw new BuildError(`missing on PATH: ${wanted.map(({ program }) => program).join(', ')}, and there is no apt-get here`);
  if (process.getuid() !== 0) {
    const command = `sudo apt-get update && sudo apt-get install -y ${names.join(' ')}`;
    throw Object.assign(new BuildError('only root may install them'), { remedy: `run \`${command}\`` });
  }
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  await run(['apt-get', 'update'], { env });
  await run(['apt-get', 'install', '-y', '--no-install-recommends', ...names], { env, deadline: 20 * MINUTE });
}

/** The version the crate is locked to; glue and wasm only fit together when the CLI has the same one. */
export function wasmBindgenVersion() {
  const found = /name = "wasm-bindgen"\nversion = "([^"]+)"/.exec(readFileSync(join(ROOT, 'Cargo.lock'), 'utf8'));
  if (!found) throw new BuildError('Cargo.lock does not name wasm-bindgen');
  return found[1];
}

const bindgenFolder = () => join(CACHE, `wasm-bindgen-${wasmBindgenVersion()}`);
export const wasmBindgen = () => join(bindgenFolder(), 'bin', 'wasm-bindgen');

async function hasWasmBindgen() {
  if (!existsSync(wasmBindgen())) return false;
  const version = await run([wasmBindgen(), '--version'], { capture: true });
  return version.trim().endsWith(` ${wasmBindgenVersion()}`);
}

/** Without --locked: the lock file inside that package asks for versions that no longer build. cargo itself waits for a second clone's install. */
async function installWasmBindgen() {
  console.log(`  compiled once into the cache folder, about 2 minutes; not optimized, since it runs for seconds`);
  mkdirSync(CACHE, { recursive: true });
  const { CARGO_TARGET_DIR: _, ...env } = process.env;
  const command = ['cargo', 'install', '--debug', 'wasm-bindgen-cli', '--version', wasmBindgenVersion(), '--root', bindgenFolder()];
  await run(command, { cwd: CACHE, env, deadline: 20 * MINUTE });
}

runAsScript(import.meta.url, async (args) => {
  await setup({ tests: args.includes('--tests') });
  console.log('✓ set-up is complete');
});
