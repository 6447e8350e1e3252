/**
 * Makes dist/hub.wasm, the glue script of the crate and the small wasm that switches stacks. Called by build.mjs.
 * cargo decides itself what to compile again; the steps after it are skipped only while the bytes that went in and those that came
 * out are the ones of their last run.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { shortenNames } from './glue.mjs';
import { wasmBindgen, wasmBindgenVersion } from './setup.mjs';
import { BuildError, DIST, digest, duration, GLUE, MINUTE, ROOT, run, wasmEnv } from './tools.mjs';

/** As a cdylib alone: with the rlib beside it, which the native tests need, cargo would leave out link-time optimization without a word. */
const CARGO = ['cargo', 'rustc', '--release', '--lib', '--crate-type', 'cdylib', '--target', 'wasm32-unknown-unknown'];
/**
 * sqlite-wasm-rs exports its memory VFS, which our SQLite does not call (.cargo/config.toml): the linker keeps every export and all that it
 * needs. Wrapped, the names mean functions that do not exist, and the VFS goes, 10 KB of gzip.
 */
const NO_VFS = ['sqlite3_os_init', 'sqlite3_os_end'];
/** src/web/libc.rs has them from JavaScript instead, which makes the download 8 KB smaller. */
const FROM_JAVASCRIPT = [
  ...['acos', 'asin', 'atan', 'atan2', 'cos', 'cosh', 'exp', 'fmod', 'log', 'log10', 'log2', 'pow', 'sin', 'sinh', 'tan', 'tanh'],
  ...['acosh', 'asinh', 'atanh', 'localtime'].map((name) => `rust_sqlite_wasm_${name}`),
];
const WRAPPED = [...NO_VFS, ...FROM_JAVASCRIPT].map((name) => `--wrap=${name}`);
/** Fibers (src/web/stack-switch.wat) move the stack, and the function that suspends them gets a slot in the function table. */
const FOR_FIBERS = ['--export=__stack_pointer', '--export-table', '--growable-table'];
const LINK = [...WRAPPED, ...FOR_FIBERS].flatMap((flag) => ['-C', `link-arg=${flag}`]);
/** `--keep-lld-exports`: what the linker exports for fibers, wasm-bindgen would take for its own and drop. */
const BINDGEN = ['--target', 'web', '--omit-default-module-path', '--keep-lld-exports', '--remove-name-section', '--remove-producers-section', '--out-name', 'tabhub', '--out-dir', GLUE];

/** Named one by one: what `--all-features` writes is rejected by older engines. */
const WASM_FEATURES = ['bulk-memory', 'mutable-globals', 'nontrapping-float-to-int', 'sign-ext', 'reference-types', 'multivalue'];
/**
 * What sqlite-wasm-rs exports for its C part to find, nobody calls from outside. Rust puts the stack, then data, at the bottom of memory, so
 * nothing of ours lies below 1024: that shortens many addresses. The second -Os still finds 1 KB of gzip.
 */
export const WASM_OPT = ['--remove-exports=rust_sqlite_wasm_*', '--remove-exports=__wrap_*', '-Os', '--low-memory-unused', '-Os', '--strip-debug', '--strip-producers', '--strip-target-features', ...WASM_FEATURES.map((feature) => `--enable-${feature}`)];

const GLUE_WASM = join(GLUE, 'tabhub_bg.wasm');
const HUB_WASM = join(DIST, 'hub.wasm');
const GLUE_SCRIPT = join(ROOT, 'hub-js', 'build', 'glue.mjs');
const SWITCH_WAT = join(ROOT, 'src', 'web', 'stack-switch.wat');
/** Goes into hub.js. Assembled as it stands: nothing in it is worth an optimizer's time. */
export const SWITCH_WASM = join(GLUE, 'stack-switch.wasm');
const OUTPUTS = [join(GLUE, 'tabhub.js'), join(GLUE, 'tabhub.d.ts'), GLUE_WASM, HUB_WASM, SWITCH_WASM];
const STAMP = join(GLUE, 'stamp.json');

/** Compiles and links the crate, by cargo alone; answers the file. */
export async function compileWasm() {
  console.log('→ cargo build (wasm)');
  await run([...CARGO, '--', ...LINK], { deadline: 20 * MINUTE, env: wasmEnv() });
  const crateWasm = join(await targetFolder(), 'wasm32-unknown-unknown', 'release', 'tabhub.wasm');
  if (!existsSync(crateWasm)) throw new BuildError(`cargo wrote no ${crateWasm}; Cargo.toml must ask for a cdylib named tabhub`);
  return crateWasm;
}

/** Makes what is served out of it, by npm's binaryen. */
export async function finishWasm(crateWasm) {
  const binaryen = join(ROOT, 'node_modules', 'binaryen');
  const inputs = digest([crateWasm, SWITCH_WAT, join(binaryen, 'package.json'), GLUE_SCRIPT], wasmBindgenVersion(), ...BINDGEN, ...WASM_OPT);
  if (isFresh(inputs)) return;
  const begun = Date.now();
  console.log('→ wasm-bindgen, wasm-opt');
  await run([wasmBindgen(), ...BINDGEN, crateWasm]);
  await run([join(binaryen, 'bin', 'wasm-opt'), ...WASM_OPT, GLUE_WASM, '-o', HUB_WASM]);
  shortenNames(HUB_WASM, join(GLUE, 'tabhub.js'));
  await run([join(binaryen, 'bin', 'wasm-as'), '--enable-bulk-memory', '--enable-mutable-globals', SWITCH_WAT, '-o', SWITCH_WASM]);
  writeFileSync(STAMP, JSON.stringify({ inputs, outputs: digest(OUTPUTS) }));
  console.log(`✓ hub.wasm (${duration(Date.now() - begun)})`);
}

function isFresh(inputs) {
  if (![STAMP, ...OUTPUTS].every((file) => existsSync(file))) return false;
  const stamp = JSON.parse(readFileSync(STAMP, 'utf8'));
  return stamp.inputs === inputs && stamp.outputs === digest(OUTPUTS);
}

/** Not always target/: CARGO_TARGET_DIR or a config file may move it. */
async function targetFolder() {
  const metadata = await run(['cargo', 'metadata', '--format-version', '1', '--no-deps'], { capture: true });
  return JSON.parse(metadata).target_directory;
}
