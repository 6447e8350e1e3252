// At stake: what a newcomer sees first. Every example opens, does what it is for, says no error, and passes the checks of axe for accessibility,
// which look at the page as it is once its database is open.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { until } from './deadline.mjs';
import { ALL_ENGINES } from './engines.mjs';
import { byTurns } from './rounds.mjs';
import { ROOT } from './site.mjs';
import { withWorld } from './world.mjs';

const READY_MS = 20_000;
const AXE = readFileSync(join(ROOT, 'node_modules/axe-core/axe.min.js'), 'utf8');

/** How each page says that it is ready; those that are not here say so by their status line. */
const READY = {
  'index.html': () => document.readyState === 'complete',
  // Before it listens, the form does nothing and keeps its text.
  'rust-app/': () => {
    if (document.querySelector('#items').textContent.includes('remembered')) return true;
    document.querySelector('#text').value = 'remembered';
    document.querySelector('#add').requestSubmit();
    return false;
  },
  // With a result on the page.
  'console/': () => {
    if (document.querySelector('.grid [role="gridcell"]')) return true;
    [...document.querySelectorAll('#samples button')].find(({ textContent }) => textContent === 'Every type')?.click();
    return false;
  },
  'benchmark/': () => document.readyState === 'complete',
  'sql-demo/': () => document.querySelector('#summary').textContent.includes('every statement as it must be'),
};
const isOpen = () => /open/.test(document.querySelector('#status')?.textContent ?? '') && !/opening/.test(document.querySelector('#status').textContent);

/** All but what needs a build first: package.test.mjs opens that. */
const isPage = (folder) => existsSync(join(ROOT, 'examples', folder, 'index.html')) && !existsSync(join(ROOT, 'examples', folder, 'vite.config.js'));
const pages = ['index.html', ...readdirSync(join(ROOT, 'examples')).filter(isPage).map((folder) => `${folder}/`)];

for (const { engine, skip } of byTurns(ALL_ENGINES)) {
  test(`every example opens, works and can be used by everybody in ${engine}`, { timeout: 300_000, skip }, async (t) => {
    await withWorld(t, async (world) => {
      assert.ok(pages.length >= 6, pages.join());
      for (const page of pages) {
        await world.step(page, async () => {
          const tab = await world.tab(null, { page: `/examples/${page}` });
          await until(READY_MS, `${page} to be ready`, () => tab.ask(READY[page] ?? isOpen));
          const { violations, links } = await tab.ask(look, AXE);
          assert.deepEqual(violations, []);
          for (const link of links) assert.equal((await fetch(link)).status, 200, link);
          assert.deepEqual(tab.console.filter((line) => /^(error|warning|uncaught)/.test(line)), []);
          await tab.close();
        });
      }
    }, { engine });
  });
}

/* Runs in the page. */
async function look(source) {
  // As a function, so that a page's own policy is no obstacle to the test.
  if (!globalThis.axe) new Function(source)();
  const { violations } = await globalThis.axe.run(document, { resultTypes: ['violations'] });
  const told = violations.map(({ id, help, nodes }) => `${id}: ${help} (${nodes.map(({ target }) => target.join(' ')).join(', ')})`);
  const links = [...document.querySelectorAll('a[href], link[href]')].map(({ href }) => href).filter((href) => href.startsWith(location.origin));
  return { violations: told, links: [...new Set(links)] };
}
