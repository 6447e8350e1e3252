// The tree of what the database holds, kept as it is in the database by whichever tab changes it. Called by main.js, which says what its buttons do.
import { $, el, format, showError } from '../page.js';
import { rowCount, schema } from './catalog.js';
import { plain } from './editor.js';

const HEADINGS = { table: 'Tables', view: 'Views', virtual: 'Virtual tables' };

export class SchemaTree {
  #db;
  #does;
  /** Names of tables whose rows are still to be counted, and of those that take too long for it. */
  #uncounted = new Set();
  #large = new Set();
  #isCounting = false;
  tables = [];

  /** `does`: insert(name), show(table), define(sql), changed(tables). */
  constructor(db, does) {
    this.#db = db;
    this.#does = does;
    db.onChange({}, ({ everything, tables }) => (everything ? this.refresh() : this.#count(tables.map(({ table }) => table))).catch(showError));
  }

  async refresh() {
    this.tables = await schema(this.#db);
    const open = new Set([...$('#tables').querySelectorAll('details[open]')].map(({ dataset }) => dataset.name));
    const focused = document.activeElement.closest('#tables details')?.dataset.name;
    const groups = Object.entries(HEADINGS).flatMap(([kind, heading]) => {
      const members = this.tables.filter(table => table.kind === kind);
      return members.length === 0 ? [] : [el('h3', {}, heading), ...members.map(table => this.#entry(table, open.has(table.name)))];
    });
    $('#tables').replaceChildren(...groups);
    // Whoever goes by keyboard stays where he was.
    if (focused !== undefined) this.#find(focused)?.querySelector('summary').focus();
    if (groups.length === 0) $('#tables').append(el('p', { className: 'muted small' }, 'No tables yet. Load the sample data, or drop a SQLite or CSV file onto the page.'));
    this.#does.changed(this.tables);
    this.#large.clear();
    // Nobody waits for the counts.
    this.#count(this.tables.map(({ name }) => name)).catch(showError);
  }

  /** One after another, however often they are written: the hub has others to serve. Views are not counted, since that can be any work. */
  async #count(names) {
    for (const name of names) this.#uncounted.add(name);
    if (this.#isCounting) return;
    this.#isCounting = true;
    try {
      for (const name of this.#uncounted) {
        this.#uncounted.delete(name);
        if (!this.#large.has(name) && this.tables.some(table => table.name === name && table.kind !== 'view')) await this.#countOne(name);
      }
    } finally {
      this.#isCounting = false;
    }
  }

  async #countOne(name) {
    try {
      const rows = await rowCount(this.#db, name);
      if (rows === undefined) this.#large.add(name);
      this.#find(name)?.querySelector('.count').replaceChildren(rows === undefined ? 'many' : format(rows));
    } catch (error) {
      // Another tab may have dropped the table, or replaced the database, meanwhile: the refresh that follows has it right.
      if (error.code !== 'SQLITE_ERROR' && error.code !== 'HUB_TRANSACTION_LOST') throw error;
    }
  }

  #find(name) {
    return [...$('#tables').querySelectorAll('details')].find(({ dataset }) => dataset.name === name);
  }

  #entry({ name, kind, sql, columns, parts, error }, isOpen) {
    const { insert, show, define } = this.#does;
    const columnList = el('ul', {}, ...columns.map(column => el('li', {},
      button(column.name, () => insert(plain(column.name)), `Insert ${column.name}`),
      el('span', { className: 'type' }, [column.type.toLowerCase(), column.pk ? 'key' : ''].filter(Boolean).join(' · ')))));
    const partList = el('ul', {}, ...parts.map(part => el('li', {},
      part.sql ? button(part.name, () => define(part.sql), `Definition of ${part.name}`) : el('span', {}, part.name),
      el('span', { className: 'type' }, part.sql ? part.type : `automatic ${part.type}`))));
    const details = el('details', { open: isOpen },
      el('summary', {}, el('span', { className: 'name' }, name), el('span', { className: 'count number' }, kind === 'view' ? '' : '…')),
      columnList, parts.length > 0 ? partList : '',
      error ? el('p', { className: 'small disagrees' }, error.message) : '',
      el('div', { className: 'row' }, button('Show rows', () => show(name)), button('Insert name', () => insert(plain(name))), button('Definition', () => define(sql))));
    details.dataset.name = name;
    return details;
  }
}

function button(text, onclick, title = '') {
  return el('button', { type: 'button', title, onclick }, text);
}
