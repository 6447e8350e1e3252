/**
 * Makes examples/rust-app/dist: the Rust front-end, by cargo and wasm-bindgen. Called by build.mjs; cargo decides what to compile again.
 */
import { join } from 'node:path';
import { wasmBindgen } from './setup.mjs';
import { MINUTE, ROOT, run, wasmEnv } from './tools.mjs';

const APP = join(ROOT, 'examples', 'rust-app');
/** Beside the crate's own, so that nothing but dist/ is written into the examples. */
const TARGET = join(ROOT, 'target', 'rust-app');
const TRIPLE = 'wasm32-unknown-unknown';

export async function buildRustApp() {
  console.log('→ cargo build (examples/rust-app)');
  await run(['cargo', 'build', '--release', '--locked', '--target', TRIPLE, '--target-dir', TARGET], { cwd: APP, env: wasmEnv(), deadline: 20 * MINUTE });
  const wasm = join(TARGET, TRIPLE, 'release', 'rust_app.wasm');
  await run([wasmBindgen(), '--target', 'web', '--no-typescript', '--remove-name-section', '--remove-producers-section', '--out-dir', join(APP, 'dist'), wasm]);
}
