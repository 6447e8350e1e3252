// What the console takes from npm. The build bundles this file into dist/libraries.js, from where editor.js, csv.js and dataset.js import it.
export { closeCompletion, completeFromList, ifNotIn } from '@codemirror/autocomplete';
export { SQLDialect, SQLite, sql } from '@codemirror/lang-sql';
export { syntaxHighlighting } from '@codemirror/language';
export { setDiagnostics } from '@codemirror/lint';
export { Compartment, Prec } from '@codemirror/state';
export { keymap } from '@codemirror/view';
export { classHighlighter } from '@lezer/highlight';
export { EditorView, basicSetup } from 'codemirror';
export { default as Papa } from 'papaparse';
