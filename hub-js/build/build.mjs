/**
 * `npm run build`: set-up, then dist/: hub.wasm (Rust → wasm-bindgen → wasm-opt), hub.js, tabhub.js, tabhub.global.js and the types; sizes checked; then the parts of the examples.
 * `npm start`, `npm test` and `npm pack` come through here too. Nothing outside dist/, target/ and the dist/ folders of the examples is written.
 */
import { mkdirSync } from 'node:fs';
import { buildRustApp } from './rust-app.mjs';
import { setup } from './setup.mjs';
import { DIST, duration, runAsScript } from './tools.mjs';
import { compileWasm, finishWasm } from './wasm.mjs';

/** Builds all of dist/. `rustApp: false` leaves examples/rust-app out, for who builds it later. What imports npm packages is loaded only after the set-up has installed them. */
export async function build({ rustApp = true } = {}) {
  const begun = Date.now();
  // npm fetches while cargo compiles.
  const [crateWasm] = await Promise.all([setup({ of: 'cargo' }).then(compileWasm), setup({ of: 'npm' })]);
  mkdirSync(DIST, { recursive: true });
  const { bundleScripts, emitTypes } = await import('./scripts.mjs');
  const { checkSizes } = await import('./sizes.mjs');
  const { bundleExamples } = await import('./examples.mjs');
  // Beside one another: what takes longest of each is the work of one core.
  await Promise.all([finishWasm(crateWasm), emitTypes(), rustApp && buildRustApp()]);
  await bundleScripts();
  checkSizes();
  await bundleExamples();
  console.log(`✓ built dist/ (${duration(Date.now() - begun)})`);
}

runAsScript(import.meta.url, () => build());
