/**
 * `npm run sql-demo`: builds, opens the SQL tour in a headless browser, and prints each statement with its rows. Ends with an error where a statement
 * was not as it must be.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from '../../hub-js/build/build.mjs';
import { startServer } from '../../hub-js/build/serve.mjs';
import { setup } from '../../hub-js/build/setup.mjs';
import { BuildError, ROOT, runAsScript } from '../../hub-js/build/tools.mjs';
import { launch } from '../../tests/e2e/browser.mjs';

const CELL_MAX = 60;

runAsScript(import.meta.url, async () => {
  await setup({ tests: true });
  await build();
  const sections = await runTour();
  const results = sections.flatMap(({ title, text, results }) => {
    console.log(`\n══ ${title}\n   ${text}`);
    results.forEach(print);
    return results;
  });
  const wrong = results.filter(({ isRight }) => !isRight).length;
  if (wrong > 0) throw new BuildError(`${wrong} of ${results.length} statements were not as they must be`);
  console.log(`\n✓ ${results.length} statements, each as it must be`);
});

async function runTour() {
  const profile = mkdtempSync(join(tmpdir(), 'tabhub-sql-demo-'));
  const server = await startServer({ root: ROOT });
  const browser = await launch({ profile });
  try {
    const tab = await browser.newTab(`${server.url}/examples/sql-demo/`);
    return await tab.ask(() => globalThis.finished);
  } finally {
    await browser.kill9();
    await server.close();
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

function print({ sql, params, rows, columns, changes, error, outcome, isRight }) {
  console.log(`\n${sql.replace(/^/gm, '   ')}${params ? `\n   -- with ${JSON.stringify(params)}` : ''}`);
  if (columns.length > 0) printRows(columns.map(({ name }) => name), rows);
  else console.log(`   → ${error ? `${error.code}: ${error.message}` : outcome ?? `${changes} rows changed`}`);
  if (!isRight) console.log('   ✗ this is not what must come of it');
}

function printRows(names, rows) {
  const table = [names, ...rows.map((row) => names.map((name) => cell(row[name])))];
  const widths = names.map((_, at) => Math.max(...table.map((line) => line[at].length)));
  const [head, ...body] = table.map((line) => line.map((text, at) => text.padEnd(widths[at])).join('  ').trimEnd());
  console.log([head, widths.map((width) => '─'.repeat(width)).join('  '), ...body].map((line) => `   ${line}`).join('\n'));
}

function cell(value) {
  const text = value === null ? 'NULL' : String(value);
  return text.length > CELL_MAX ? `${text.slice(0, CELL_MAX - 1)}…` : text;
}
