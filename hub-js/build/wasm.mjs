/**
 * Makes dist/hub.wasm and the glue script of the crate. Called by build.mjs.
 * cargo decides itself what to compile again; the two steps after it are skipped only while the bytes that went in and those that came
 * out are the ones of their last run.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { wasmBindgen, wasmBindgenVersion } from './setup.mjs';
import { BuildError, DIST, digest, duration, GLUE, MINUTE, ROOT, run, wasmEnv } from './tools.mjs';

/** As a cdylib alone: with the rlib beside it, which the native tests need, cargo would leave out link-time optimization without a word. */
const CARGO = ['cargo', 'rustc', '--release', '--lib', '--crate-type', 'cdylib', '--target', 'wasm32-unknown-unknown'];
/**
 * sqlite-wasm-rs exports its memory VFS, which our SQLite does not call (.cargo/config.toml): the linker keeps every export and all that it
 * needs. Wrapped, the names mean functions that do not exist, and the VFS goes, 10 KB of gzip.
 */
const LINK = ['sqlite3_os_init', 'sqlite3_os_end'].flatMap((name) => ['-C', `link-arg=--wrap=${name}`]);
const BINDGEN = ['--target', 'web', '--omit-default-module-path', '--remove-name-section', '--remove-producers-section', '--out-name', 'tabhub', '--out-dir', GLUE];

/** Named one by one: what `--all-features` writes is rejected by older engines. */
const WASM_FEATURES = ['bulk-memory', 'mutable-globals', 'nontrapping-float-to-int', 'sign-ext', 'reference-types', 'multivalue'];
/**
 * What sqlite-wasm-rs exports for its C part to find, nobody calls from outside. Rust puts the stack, then data, at the bottom of memory, so
 * nothing of ours lies below 1024: that shortens many addresses. The second -Os still finds 1 KB of gzip.
 */
const WASM_OPT = ['--remove-exports=rust_sqlite_wasm_*', '-Os', '--low-memory-unused', '-Os', '--strip-debug', '--strip-producers', ...WASM_FEATURES.map((feature) => `--enable-${feature}`)];

const GLUE_WASM = join(GLUE, 'tabhub_bg.wasm');
const HUB_WASM = join(DIST, 'hub.wasm');
const OUTPUTS = [join(GLUE, 'tabhub.js'), join(GLUE, 'tabhub.d.ts'), GLUE_WASM, HUB_WASM];
const STAMP = join(GLUE, 'stamp.json');

export async function buildWasm() {
  console.log('→ cargo build (wasm)');
  await run([...CARGO, '--', ...LINK], { deadline: 20 * MINUTE, env: wasmEnv() });
  const crateWasm = join(await targetFolder(), 'wasm32-unknown-unknown', 'release', 'tabhub.wasm');
  if (!existsSync(crateWasm)) throw new BuildError(`cargo wrote no ${crateWasm}; Cargo.toml must ask for a cdylib named tabhub`);
  const binaryen = join(ROOT, 'node_modules', 'binaryen');
  const inputs = digest([crateWasm, join(binaryen, 'package.json')], wasmBindgenVersion(), ...BINDGEN, ...WASM_OPT);
  if (isFresh(inputs)) return;
  const begun = Date.now();
  console.log('→ wasm-bindgen, wasm-opt');
  await run([wasmBindgen(), ...BINDGEN, crateWasm]);
  await run([join(binaryen, 'bin', 'wasm-opt'), ...WASM_OPT, GLUE_WASM, '-o', HUB_WASM]);
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
