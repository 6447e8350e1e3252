// SQLite's own command line program, as the judge of what our SQLite did. It never writes to a file it was not told to.
import { execFileSync } from 'node:child_process';

const OUTPUT_MAX = 256 << 20;

/** The rows of the last SELECT in `sql`. */
export function nativeRows(file, sql) {
  const text = execFileSync('sqlite3', ['-json', file, sql], { encoding: 'utf8', maxBuffer: OUTPUT_MAX });
  return text === '' ? [] : JSON.parse(text);
}

/** Runs a script, stopping at the first error. */
export function nativeScript(file, sql) {
  execFileSync('sqlite3', ['-bail', file], { input: sql, encoding: 'utf8', maxBuffer: OUTPUT_MAX });
}

/** SQLite's verdict: `ok`, or what is wrong. */
export function nativeIntegrity(file) {
  return nativeRows(file, 'PRAGMA integrity_check').map((row) => row.integrity_check).join('; ');
}
