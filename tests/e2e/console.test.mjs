// At stake: the console of examples/console does what it shows. What is typed is completed, run and, where it is wrong, marked; a long result scrolls; files
// come in and go out as they were, and nothing is replaced unasked. In Chromium: the page's own code is what is tested.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from './deadline.mjs';
import { withWorld } from './world.mjs';

const WAIT_MS = 20_000;
const ROWS = 100_000;
const COUNTED = (rows) => `WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < ${rows}) SELECT n, n % 7 AS week FROM c`;
/** Each field is one that a careless reader breaks, the last name by its length: the megabyte that is read at once ends within a letter. The numbers come back as the same text. */
const CSV = ['id,"a ""name""",note,price,code', '1,"Grüße, ✓ 漢字","two\r\nlines",0.5,007', '2,"say ""hi""",,-12.25,', `3,_${'é'.repeat(600_000)},plain,3,x`, ''].join('\r\n');

test('the console completes, runs, marks, explains, scrolls, imports and exports', { timeout: 120_000 }, async (t) => {
  await withWorld(t, async (world) => {
    const other = await world.tab('console.db');
    // The last one that was opened is the one that is seen: in a page that is not, nothing is drawn.
    const tab = await world.tab(null, { page: '/examples/console/' });
    const page = pageOf(tab);
    await page.sees('the page to be open', () => document.querySelector('#tables').textContent.startsWith('No tables'));
    await tab.ask(prepare);

    const seen = { world, tab, other, page };
    await writing(seen);
    await reading(seen);
    await files(seen);
    assert.deepEqual(tab.console.filter((line) => /^(error|warning|uncaught)/.test(line)), []);
  }, { engine: 'chromium' });
});

/** The editor. */
async function writing({ world, tab, other, page }) {
  await world.step('what is typed is run, and completed from the schema as it now is', async () => {
    await page.run('CREATE TABLE plant (id INTEGER PRIMARY KEY, botanical TEXT)');
    await page.sees('the new table', () => document.querySelector('#tables').textContent.includes('botanical'));
    await other.run(() => db.exec('CREATE TABLE "of another tab" (wanted TEXT); INSERT INTO plant VALUES (1, \'Bellis\')'));
    for (const told of ['of another tab0', 'plant1']) {
      await page.sees(told, (told) => [...document.querySelectorAll('#tables summary')].some(({ textContent }) => textContent === told), told);
    }
    for (const [typed, offered] of [['SELECT bota', 'botanical'], ['SELECT wan', 'wanted'], ['SELECT * FROM plant AS p WHERE p.bo', 'botanical']]) {
      await tab.ask(type, typed);
      await page.sees(`${offered} to be proposed`, (offered) => document.querySelector('.cm-tooltip-autocomplete')?.textContent.includes(offered), offered);
    }
  });

  await world.step('an error is marked where it is, behind letters of more than one byte', async () => {
    await page.run("SELECT 'ü✓',\n  nosuch FROM plant");
    await page.sees('the mark', () => document.querySelector('.cm-lintRange-error')?.textContent === 'nosuch');
    assert.match(await page.text('#notice'), /no such column: nosuch.*Go to line 2/s);
    await page.run("SELECT 'é';\nSELECT absent FROM plant;\nSELECT 2;");
    await page.sees('the mark in a script', () => document.querySelector('.cm-lintRange-error')?.textContent === 'absent');
    await tab.ask(() => getSelection().selectAllChildren(document.querySelectorAll('.cm-line')[1]));
    await page.sees('the selection', () => document.querySelector('.cm-selectionBackground'));
    await tab.ask(key, { selector: '.cm-content', key: 'Enter', ctrlKey: true });
    await page.sees('the selection alone to be run', () => document.querySelector('#history').textContent.startsWith('✗ SELECT absent FROM plant;✗'));
    assert.equal(await page.text('.cm-lintRange-error'), 'absent');
  });
}

/** The results. */
async function reading({ world, tab, page }) {
  await world.step(`${ROWS} rows scroll to the last one, with a few in the page`, async () => {
    await page.run(COUNTED(ROWS));
    await page.sees('all rows', () => document.querySelector('#summary').textContent.startsWith('100,000 rows'));
    await tab.ask(() => document.querySelector('.grid').scrollTo(0, 1e9));
    await page.sees('the last row', () => document.querySelector('.grid-body [role="row"]:last-child').textContent === '1000001000005');
    const { rows, told, widths } = await tab.ask(gridFacts);
    assert.equal(told, String(ROWS + 1));
    assert.ok(rows < 120, `${rows} rows in the page`);
    await tab.ask(key, { selector: '.grid', key: 'Home', ctrlKey: true });
    await page.sees('the first row', () => document.querySelector('.grid .active')?.textContent === '1');
    assert.deepEqual((await tab.ask(gridFacts)).widths, widths);
    for (const keys of [{ key: 'ArrowRight', shiftKey: true }, { key: 'ArrowDown', shiftKey: true }, { key: 'c', ctrlKey: true }]) await tab.ask(key, { selector: '.grid', ...keys });
    assert.equal(await tab.ask(() => globalThis.copied), 'n\tweek\n1\t1\n2\t2');
  });

  await world.step('a query is explained, as a plan and as a program', async () => {
    await tab.ask(type, 'SELECT * FROM plant ORDER BY botanical');
    await page.click('#plan');
    await page.sees('the plan', () => /SCAN plant.*TEMP B-TREE/s.test(document.querySelector('#result .plan')?.textContent));
    await page.click('#bytecode');
    await page.sees('the program', () => document.querySelector('#summary').textContent.includes('instructions') && document.querySelector('.grid').textContent.includes('OpenRead'));
  });

  await world.step('a result without end stops at its bound, and goes on when asked', async () => {
    await page.run(COUNTED(200_002));
    await page.sees('the bound', () => document.querySelector('#summary').textContent.includes('there are more'));
    assert.match(await page.text('#summary'), /^the first 200,000 rows/);
    await page.click('#more');
    await page.sees('the rest', () => document.querySelector('#summary').textContent.startsWith('200,002 rows'));
  });
}

/** What comes in and goes out. */
async function files({ world, tab, other, page }) {
  await world.step('a CSV file becomes a table with types, and comes out as it was', async () => {
    await tab.ask(drop, { name: 'my data.csv', text: CSV });
    await page.sees('the question', () => document.querySelector('#csv-dialog').open);
    assert.equal(await page.text('#csv-columns'), 'id integera "name" textnote textprice realcode text');
    await tab.ask(cancelAtOnce);
    await page.answer('#csv-dialog', 'yes');
    await page.sees('the import to be cancelled', () => document.querySelector('#summary').textContent === 'Cancelled: nothing was changed.');
    assert.equal(await other.run(() => db.get("SELECT 1 FROM sqlite_schema WHERE name = 'my_data'")), undefined);
    await tab.ask(drop, { name: 'my data.csv', text: CSV });
    await page.answer('#csv-dialog', 'yes');
    await page.sees('the import', () => /^3 rows of my data\.csv are now the table my_data/.test(document.querySelector('#summary').textContent));
    await page.run('SELECT * FROM my_data');
    await page.sees('the rows', () => document.querySelector('#summary').textContent.startsWith('3 rows'));
    assert.deepEqual(await tab.ask(saved, '#save-csv'), { name: 'result.csv', text: CSV });
  });

  await world.step('a file that cannot be taken is refused, and says what to do', async () => {
    for (const [name, text, told] of REFUSED) {
      await tab.ask(drop, { name, text });
      if (name === 'broken.db') await page.answer('#confirm', 'yes');
      await page.sees(`${name} to be refused`, (told) => !document.querySelector('#notice').hidden && document.querySelector('#notice').textContent.includes(told), told);
      await tab.ask(() => document.querySelector('#notice [aria-label="Dismiss"]').click());
    }
  });

  await world.step('a SQLite file that is dropped replaces the database once that is confirmed', async () => {
    assert.equal((await tab.ask(saved, '#export')).name, 'console.sqlite');
    await other.run(() => db.exec('DROP TABLE my_data'));
    await page.sees('the table to be gone', () => !document.querySelector('#tables').textContent.includes('my_data'));
    for (const answer of ['no', 'yes']) {
      await tab.ask(drop, { name: 'other.db', isSaved: true });
      await page.answer('#confirm', answer);
      if (answer === 'no') assert.equal(await other.run(() => db.get("SELECT 1 FROM sqlite_schema WHERE name = 'my_data'")), undefined);
    }
    await page.sees('the table to be back', () => document.querySelector('#tables').textContent.includes('my_data') && document.querySelector('#summary').textContent === 'other.db imported.');
    assert.deepEqual(await other.run(() => db.get('SELECT count(*) AS n FROM my_data')), { n: 3 });
  });
}

/** Name, content, and what the page must say of it. */
const REFUSED = [
  ['ragged.csv', 'a,b\r\n1,2\r\n"x\r\ny",2,3\r\n', 'Row 2, near line 3, has 3 cells; the first line has 2'],
  ['quote.csv', 'a,b\r\n1,"2\r\n', 'Write a quote inside of a quoted cell twice'],
  ['empty.csv', '', 'empty.csv is empty'],
  ['image.db', 'not a database', 'image.db is not a SQLite file'],
  ['broken.db', `SQLite format 3\0${'x'.repeat(600)}`, 'HUB_NOT_A_DATABASE'],
];

function pageOf(tab) {
  const sees = (what, look, argument) => until(WAIT_MS, what, () => tab.ask(look, argument));
  return {
    sees,
    text: (selector) => tab.ask((selector) => document.querySelector(selector).textContent, selector),
    /** Once it can be. */
    click: async (selector) => {
      await sees(`${selector} to be free`, (selector) => !document.querySelector(selector).disabled, selector);
      await tab.ask((selector) => document.querySelector(selector).click(), selector);
    },
    /** Once it asks. */
    async answer(dialog, answer) {
      await sees(`${dialog} to ask`, (dialog) => document.querySelector(dialog).open, dialog);
      await tab.ask(({ dialog, answer }) => document.querySelector(`${dialog} button[value="${answer}"]`).click(), { dialog, answer });
    },
    /** Once what ran before has ended. */
    async run(text) {
      await sees('the console to be free', () => !document.querySelector('#run').disabled);
      await tab.ask(type, text);
      await tab.ask(key, { selector: '.cm-content', key: 'Enter', ctrlKey: true });
    },
  };
}

/* These run in the page. */

/** What the page gives out for download, and to the clipboard, is kept. */
function prepare() {
  navigator.clipboard.writeText = async (text) => {
    globalThis.copied = text;
  };
  const make = URL.createObjectURL;
  URL.createObjectURL = (blob) => make.call(URL, (globalThis.savedFile = blob));
  HTMLAnchorElement.prototype.click = function () {
    globalThis.savedName = this.download;
  };
}

/** In place of all text, as a keyboard or an input method does it. */
function type(text) {
  const content = document.querySelector('.cm-content');
  content.focus();
  document.execCommand('selectAll');
  document.execCommand('insertText', false, text);
}

function key({ selector, ...keys }) {
  document.querySelector(selector).dispatchEvent(new KeyboardEvent('keydown', { bubbles: true, cancelable: true, ...keys }));
}

function gridFacts() {
  const grid = document.querySelector('.grid');
  return { rows: grid.querySelectorAll('[role="row"]').length, told: grid.ariaRowCount, widths: [...grid.querySelectorAll('[role="columnheader"]')].map(({ offsetWidth }) => offsetWidth) };
}

function drop({ name, text, isSaved }) {
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File([isSaved ? globalThis.savedFile : text], name));
  document.querySelector('.cm-content').dispatchEvent(new DragEvent('drop', { bubbles: true, cancelable: true, dataTransfer }));
}

/** As soon as it can be. */
function cancelAtOnce() {
  const observer = new MutationObserver(() => {
    observer.disconnect();
    document.querySelector('#cancel').click();
  });
  observer.observe(document.querySelector('#work'), { attributeFilter: ['hidden'] });
}

async function saved(selector) {
  globalThis.savedName = undefined;
  document.querySelector(selector).click();
  while (globalThis.savedName === undefined) await new Promise((resolve) => setTimeout(resolve, 20));
  return { name: globalThis.savedName, text: globalThis.savedName.endsWith('.csv') ? await globalThis.savedFile.text() : undefined };
}
