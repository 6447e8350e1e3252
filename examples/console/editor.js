// The editor: CodeMirror with SQLite's words, completion from the schema, and marks where an error lies. Called by main.js; never touches the database.
// Its look is in style.css. Tab leaves it: nothing here traps the keyboard.
import { Compartment, EditorView, Prec, SQLDialect, SQLite, basicSetup, classHighlighter, closeCompletion, completeFromList, ifNotIn, keymap, setDiagnostics, sql, syntaxHighlighting } from './dist/libraries.js';
import { quote } from './statements.js';

/** SQLite's own, as sqlite3_keyword_name() lists them: the library's dialect has those of other databases too. */
const KEYWORDS = `abort action add after all alter always analyze and as asc attach autoincrement before begin between by cascade case cast check collate
  column commit conflict constraint create cross current current_date current_time current_timestamp database default deferrable deferred delete desc detach
  distinct do drop each else end escape except exclude exclusive exists explain fail filter first following for foreign from full generated glob group groups
  having if ignore immediate in index indexed initially inner insert instead intersect into is isnull join key last left like limit match materialized natural
  no not nothing notnull null nulls of offset on or order others outer over partition plan pragma preceding primary query raise range recursive references
  regexp reindex release rename replace restrict returning right rollback row rows savepoint select set table temp temporary then ties to transaction trigger
  unbounded union unique update using vacuum values view virtual when where window with within without`.split(/\s+/);
const DIALECT = SQLDialect.define({ ...SQLite.spec, builtin: '', caseInsensitiveIdentifiers: true, keywords: [...KEYWORDS, 'strict', 'rowid'].join(' ') });
/** Where a word is no name. */
const NOT_NAMES = ['String', 'QuotedIdentifier', 'LineComment', 'BlockComment', '.'];

/** A name as it stands in SQL, with quotes where it needs them. */
export const plain = name => /^[a-z_]\w*$/i.test(name) && !KEYWORDS.includes(name.toLowerCase()) ? name : quote(name);

export class Editor {
  #view;
  #language = new Compartment();
  #functions;

  /** `onRun` is called by Ctrl+Enter, or Cmd+Enter; `functions` are the names of those that are proposed. */
  constructor(parent, { text, functions, onRun }) {
    this.#functions = functions.map(label => ({ label, type: 'function', detail: 'function' }));
    const run = { key: 'Mod-Enter', preventDefault: true, run: view => { closeCompletion(view); onRun(); return true; } };
    this.#view = new EditorView({
      parent,
      doc: text,
      extensions: [
        Prec.highest(keymap.of([run])),
        basicSetup,
        syntaxHighlighting(classHighlighter),
        EditorView.contentAttributes.of({ 'aria-label': 'SQL', autocapitalize: 'off', tabindex: '0' }),
        EditorView.lineWrapping,
        this.#language.of(language([], this.#functions)),
      ],
    });
  }

  get text() {
    return this.#view.state.sliceDoc();
  }

  /** Undo brings the old text back. */
  set text(insert) {
    this.#view.dispatch({ changes: { from: 0, to: this.#view.state.doc.length, insert }, selection: { anchor: 0 }, scrollIntoView: true });
  }

  focus() {
    this.#view.focus();
  }

  /** The selection if there is one, else everything; `start` is its place in the text, for the places of errors. */
  chosen() {
    const { from, to } = this.#view.state.selection.main;
    return from === to ? { sql: this.text, start: 0 } : { sql: this.#view.state.sliceDoc(from, to), start: from };
  }

  /** Puts a text in place of the selection. */
  insert(text) {
    this.#view.dispatch(this.#view.state.replaceSelection(text));
    this.focus();
  }

  /** What is completed from now on: tables and views as catalog.js lists them. */
  setSchema(tables) {
    this.#view.dispatch({ effects: this.#language.reconfigure(language(tables, this.#functions)) });
  }

  /** Marks where the text is wrong. Without a message nothing is marked any more. */
  mark(from, to, message) {
    this.#view.dispatch(setDiagnostics(this.#view.state, message === undefined ? [] : [{ from, to, message, severity: 'error' }]));
  }

  lineOf(index) {
    return this.#view.state.doc.lineAt(index).number;
  }

  goTo(index) {
    this.#view.dispatch({ selection: { anchor: index }, scrollIntoView: true });
    this.focus();
  }
}

/** After `table.` or `alias.` the library knows the columns; elsewhere those of all tables are proposed, and the functions. */
function language(tables, functions) {
  const schema = Object.fromEntries(tables.map(({ name, columns }) => [name, columns.map(column => ({ label: column.name, type: 'property', detail: column.type, apply: plain(column.name) }))]));
  const owners = new Map();
  for (const { name, columns } of tables) for (const column of columns) owners.set(column.name, [...owners.get(column.name) ?? [], name]);
  const columns = [...owners].map(([label, names]) => ({ label, type: 'property', detail: names.join(', '), apply: plain(label), boost: 1 }));
  const complete = completeFromList([...columns, ...functions]);
  const source = ifNotIn(NOT_NAMES, context => context.matchBefore(/\.\w*$/) ? null : complete(context));
  return [sql({ dialect: DIALECT, schema, upperCaseKeywords: true }), DIALECT.language.data.of({ autocomplete: source })];
}
