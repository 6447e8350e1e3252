/** Installs the peers of `npm run bench`, by their lock file, unless they are there already. Nothing else of the project needs them. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BENCH } from './bundle.mjs';
import { digest, MINUTE, run } from '../tools.mjs';

const LOCK = join(BENCH, 'package-lock.json');
/** `npm ci` deletes node_modules first, so the stamp in it tells of the last one that ended well. */
const STAMP = join(BENCH, 'node_modules', '.tabhub-lock');

export async function installPeers() {
  if (existsSync(STAMP) && readFileSync(STAMP, 'utf8') === digest([LOCK])) return;
  console.log('→ npm ci (peers)');
  await run(['npm', 'ci', '--prefix', BENCH, '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: BENCH, deadline: 10 * MINUTE });
  writeFileSync(STAMP, digest([LOCK]));
}

/** The installed version of a peer's package, as the lock file has it; tabhub's own is the project's. */
export function versionOf(name) {
  if (name === null) return '';
  const { packages } = JSON.parse(readFileSync(LOCK, 'utf8'));
  const found = packages[`node_modules/${name}`];
  return found ? found.version : JSON.parse(readFileSync(join(BENCH, '..', '..', 'package.json'), 'utf8')).version;
}
