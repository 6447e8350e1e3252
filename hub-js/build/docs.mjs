/**
 * `npm run docs`: the reference of the TypeScript API and of the crate, from their doc comments. A warning fails it: a link into nowhere, a public
 * item without a comment. `npm test` calls it too.
 */
import { join } from 'node:path';
import { setup } from './setup.mjs';
import { MINUTE, ROOT, run, runAsScript } from './tools.mjs';

/** TypeDoc is a workspace of its own (see its package.json). */
const REFERENCE = join(ROOT, 'hub-js', 'build', 'reference');

export async function document() {
  await run(['cargo', 'doc', '--no-deps', '--features', 'client'], { deadline: 10 * MINUTE, env: { ...process.env, RUSTDOCFLAGS: '-D warnings' } });
  await run([join(REFERENCE, 'node_modules', '.bin', 'typedoc'), '--options', REFERENCE, '--logLevel', 'Warn'], { deadline: 5 * MINUTE });
}

runAsScript(import.meta.url, async () => {
  await setup();
  await document();
  console.log('TypeScript: target/typedoc/index.html\nRust: target/doc/tabhub/index.html');
});
