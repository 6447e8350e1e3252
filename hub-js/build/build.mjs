/**
 * `npm run build`: set-up, then dist/: hub.wasm (Rust → wasm-bindgen → wasm-opt), hub.js, tabhub.js, tabhub.global.js and the types; sizes checked; then the parts of the examples.
 * `npm start`, `npm test` and `npm pack` come through here too. Nothing outside dist/, target/ and the dist/ folders of the examples is written.
 */
import { mkdirSync } from 'node:fs';
import { setup } from './setup.mjs';
import { DIST, duration, runAsScript } from './tools.mjs';

/** Builds all of dist/. What imports npm packages is loaded only after the set-up has installed them. */
export async function build() {
  const begun = Date.now();
  await setup();
  mkdirSync(DIST, { recursive: true });
  const { buildWasm } = await import('./wasm.mjs');
  const { bundleScripts, emitTypes } = await import('./scripts.mjs');
  const { checkSizes } = await import('./sizes.mjs');
  const { bundleExamples } = await import('./examples.mjs');
  const { buildRustApp } = await import('./rust-app.mjs');
  // Beside one another: what takes longest of both, linking and optimizing, is the work of one core.
  await Promise.all([buildWasm(), buildRustApp()]);
  await bundleScripts();
  await emitTypes();
  checkSizes();
  await bundleExamples();
  console.log(`✓ built dist/ (${duration(Date.now() - begun)})`);
}

runAsScript(import.meta.url, build);
