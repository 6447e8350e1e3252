/**
 * Prints how large the built files are and fails when one is over its budget. Called by build.mjs.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { BuildError, DIST } from './tools.mjs';

/** Budgets in KB of 1,000 bytes, after gzip -9. */
const FILES = [
  { name: 'tabhub.js', gzip_kb_max: 22.5 },
  { name: 'tabhub.global.js', gzip_kb_max: 22.5 },
  { name: 'compat.js', gzip_kb_max: 3.5 },
  ...['kysely.js', 'drizzle.js', 'react.js', 'vue.js', 'svelte.js', 'solid.js'].map((name) => ({ name, gzip_kb_max: 1.2 })),
  { name: 'hub.js', gzip_kb_max: 25 },
  { name: 'hub.wasm', gzip_kb_max: 496 },
];

/** What a page downloads in all, in KB after brotli. */
const ALL_IN = ['tabhub.js', 'hub.js', 'hub.wasm'];
const ALL_IN_KB_MAX = 451;

export function checkSizes() {
  const rows = FILES.map(({ name, gzip_kb_max }) => {
    const bytes = readFileSync(join(DIST, name));
    const gzip_kb = gzipSync(bytes, { level: 9, memLevel: 9 }).length / 1000;
    return { name, raw: bytes.length / 1000, gzip: gzip_kb, brotli: brotliCompressSync(bytes).length / 1000, budget: gzip_kb_max };
  });
  console.log(line(['KB', 'raw', 'gzip', 'brotli', 'gzip budget']));
  for (const row of rows) console.log(line([row.name, ...[row.raw, row.gzip, row.brotli].map((kb) => kb.toFixed(1)), `≤ ${row.budget}`]));
  const over = rows.filter((row) => row.gzip > row.budget);
  if (over.length > 0) throw new BuildError(`over the size budget: ${over.map((row) => `${row.name} has ${row.gzip.toFixed(1)} KB, allowed are ${row.budget}`).join('; ')}`);
  const all = rows.filter(({ name }) => ALL_IN.includes(name)).reduce((sum, { brotli }) => sum + brotli, 0);
  if (all > ALL_IN_KB_MAX) throw new BuildError(`over the size budget: ${ALL_IN.join(', ')} have ${all.toFixed(1)} KB in all after brotli, allowed are ${ALL_IN_KB_MAX}`);
}

function line([name, ...numbers]) {
  return `  ${name.padEnd(18)}${numbers.map((number) => number.padStart(14)).join('')}`;
}
