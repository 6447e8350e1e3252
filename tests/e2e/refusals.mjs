// Every kind of bad input, with the typed error it must give. bad-input.test.mjs runs each `run` in a page where `db` is open on
// a database with the tables of `SCHEMA`; the functions travel as source text. Nothing here may succeed.
import { Buffer } from 'node:buffer';

export const SCHEMA = `
CREATE TABLE control (id INTEGER PRIMARY KEY, v TEXT NOT NULL);
INSERT INTO control VALUES (1, 'one'), (2, 'two'), (3, 'drei — ünïcödé');
CREATE TABLE scratch (id INTEGER PRIMARY KEY, v ANY);
CREATE TABLE child (id INTEGER PRIMARY KEY, control_id INTEGER REFERENCES control (id), n INTEGER CHECK (n > 0), name TEXT NOT NULL UNIQUE);
INSERT INTO child VALUES (1, 1, 1, 'first');
`;

/** The text that the offset points at, as SQLite counts it: in bytes of UTF-8. */
const at = (token) => ({ sql, offset }) => Buffer.from(sql).subarray(offset).toString().startsWith(token) || `offset ${offset} is not at ${token}`;
const index = (n) => (error) => error.index === n || `index is ${error.index}`;
const sqlite = (code) => (error) => error.sqlite === code || `sqlite is ${error.sqlite}`;

const SQL_ERRORS = [
  { name: 'a syntax error', code: 'SQLITE_ERROR', message: /near "FORM"/, check: at('FORM'), run: () => db.query('SELECT * FORM control') },
  { name: 'a syntax error behind wide characters', code: 'SQLITE_ERROR', message: /near "y"/, check: at('y'), run: () => db.query("SELECT 'ünïcödé 🙂' x y") },
  { name: 'a syntax error in a script', code: 'SQLITE_ERROR', message: /near "SELEKT"/, check: at('SELEKT'), run: () =>
    db.exec("INSERT INTO scratch (v) VALUES ('ü'); SELEKT 1; SELECT 2") },
  { name: 'an unfinished statement', code: 'SQLITE_ERROR', message: /incomplete input/, run: () => db.query('SELECT (1') },
  { name: 'a missing table', code: 'SQLITE_ERROR', message: /no such table: nowhere/, run: () => db.all('SELECT * FROM nowhere') },
  { name: 'a missing column', code: 'SQLITE_ERROR', message: /no such column: w/, check: at('w'), run: () => db.get('SELECT w FROM control') },
  { name: 'a missing function', code: 'SQLITE_ERROR', message: /no such function: frobnicate/, run: () => db.get('SELECT frobnicate(1)') },
  { name: 'an iterated missing table', code: 'SQLITE_ERROR', message: /no such table: nowhere/, run: async () => {
    for await (const _ of db.iterate('SELECT * FROM nowhere'));
  } },
  { name: 'an error while a query runs', code: 'SQLITE_ERROR', message: /integer overflow/, run: () => db.all('SELECT abs(-9223372036854775807 - 1)') },
  { name: 'malformed JSON', code: 'SQLITE_ERROR', message: /malformed JSON/, run: () => db.all("SELECT json('{')") },
  { name: 'a bad full text query', code: 'SQLITE_ERROR', message: /fts5: syntax error/, run: () => db.transaction(async (tx) => {
    await tx.exec('CREATE VIRTUAL TABLE words USING fts5(t)');
    await tx.all("SELECT * FROM words WHERE words MATCH 'AND'");
  }) },
  { name: 'a 1 GiB value', code: 'SQLITE_TOOBIG', check: sqlite(18), run: () => db.query('SELECT zeroblob(1 << 30)') },
  { name: 'a 1 GiB value to be stored', code: 'SQLITE_TOOBIG', run: () => db.run('INSERT INTO scratch (v) VALUES (zeroblob(1 << 30))') },
  { name: 'more than 1 MB of SQL', code: 'SQLITE_TOOBIG', run: () => db.query(`SELECT '${'x'.repeat(1_100_000)}'`) },
  { name: 'too deep an expression', code: 'SQLITE_ERROR', message: /Expression tree is too large/, run: () => db.query(`SELECT ${'1+'.repeat(20_000)}1`) },
];

const CONSTRAINTS = [
  { name: 'UNIQUE', code: 'SQLITE_CONSTRAINT_UNIQUE', message: /child\.name/, check: sqlite(2067), run: () => db.run("INSERT INTO child (name) VALUES ('first')") },
  { name: 'PRIMARY KEY', code: 'SQLITE_CONSTRAINT_PRIMARYKEY', run: () => db.run("INSERT INTO control VALUES (1, 'again')") },
  { name: 'NOT NULL', code: 'SQLITE_CONSTRAINT_NOTNULL', message: /child\.name/, run: () => db.run('INSERT INTO child (name) VALUES (NULL)') },
  { name: 'CHECK', code: 'SQLITE_CONSTRAINT_CHECK', message: /n > 0/, run: () => db.run("INSERT INTO child (n, name) VALUES (-1, 'x')") },
  { name: 'FOREIGN KEY', code: 'SQLITE_CONSTRAINT_FOREIGNKEY', run: () => db.run("INSERT INTO child (control_id, name) VALUES (77, 'x')") },
  { name: 'FOREIGN KEY, the parent', code: 'SQLITE_CONSTRAINT_FOREIGNKEY', run: () => db.run('DELETE FROM control WHERE id = 1') },
  { name: 'a deferred FOREIGN KEY at commit', code: 'SQLITE_CONSTRAINT_FOREIGNKEY', run: () => db.transaction(async (tx) => {
    await tx.exec('CREATE TABLE late (control_id INTEGER REFERENCES control (id) DEFERRABLE INITIALLY DEFERRED)');
    await tx.run('INSERT INTO late VALUES (77)');
  }) },
  { name: 'the third of a batch', code: 'SQLITE_CONSTRAINT_UNIQUE', check: index(2), run: () => db.batch([
    ["INSERT INTO scratch (v) VALUES (?)", ['kept out']], 'DELETE FROM control WHERE id = 3', ["INSERT INTO child (name) VALUES ('first')"], 'SELECT 1',
  ]) },
  { name: 'half way through a script', code: 'SQLITE_CONSTRAINT_UNIQUE', run: () => db.exec("DELETE FROM control WHERE id = 3; INSERT INTO child (name) VALUES ('first');") },
  { name: 'half way through one statement', code: 'SQLITE_CONSTRAINT_NOTNULL', run: () => db.run("UPDATE control SET v = CASE id WHEN 3 THEN NULL ELSE 'changed' END") },
];

const PARAMETERS = [
  { name: 'too few', code: 'HUB_BAD_REQUEST', message: /2.*1|1.*2/s, run: () => db.all('SELECT ?, ?', [1]) },
  { name: 'none', code: 'HUB_BAD_REQUEST', run: () => db.all('SELECT ?') },
  { name: 'too many', code: 'HUB_BAD_REQUEST', message: /1.*2|2.*1/s, run: () => db.all('SELECT ?', [1, 2]) },
  { name: 'an unknown name', code: 'HUB_BAD_REQUEST', message: /colour/, run: () => db.all('SELECT :color', { color: 1, colour: 2 }) },
  { name: 'a missing name', code: 'HUB_BAD_REQUEST', message: /color/, run: () => db.all('SELECT :color, :size', { size: 1 }) },
  { name: 'too few in a batch', code: 'HUB_BAD_REQUEST', check: index(1), run: () => db.batch(["INSERT INTO scratch (v) VALUES (1)", ['SELECT ?, ?', [1]]]) },
  { name: 'a function', code: 'HUB_BAD_VALUE', message: /parameter 2/, run: () => db.all('SELECT ?, ?', [1, () => 1]) },
  { name: 'a symbol', code: 'HUB_BAD_VALUE', message: /parameter 1/, run: () => db.all('SELECT ?', [Symbol('s')]) },
  { name: 'undefined', code: 'HUB_BAD_VALUE', message: /parameter 1/, run: () => db.all('SELECT ?', [undefined]) },
  { name: 'undefined by name', code: 'HUB_BAD_VALUE', message: /color/, run: () => db.all('SELECT :color', { color: undefined }) },
  { name: 'an object', code: 'HUB_BAD_VALUE', message: /parameter 1/, run: () => db.all('SELECT ?', [{ a: 1 }]) },
  { name: 'an array', code: 'HUB_BAD_VALUE', run: () => db.all('SELECT ?', [[1]]) },
  { name: 'a Map instead of parameters', code: 'HUB_BAD_VALUE', run: () => db.all('SELECT ?', new Map([['a', 1]])) },
  { name: 'an invalid Date', code: 'HUB_BAD_VALUE', run: () => db.all('SELECT ?', [new Date(NaN)]) },
  { name: 'a bigint above 64 bits', code: 'HUB_BAD_VALUE', message: /9223372036854775808/, run: () => db.all('SELECT ?', [2n ** 63n]) },
  { name: 'a bigint below 64 bits', code: 'HUB_BAD_VALUE', run: () => db.all('SELECT ?', [-(2n ** 63n) - 1n]) },
  { name: 'undefined in the tagged template', code: 'HUB_BAD_VALUE', run: () => db.sql`SELECT ${undefined}` },
];

const CALLS = [
  { name: 'two statements in query', code: 'HUB_BAD_REQUEST', run: () => db.query("INSERT INTO scratch (v) VALUES (1); DELETE FROM control") },
  { name: 'no statement in query', code: 'HUB_BAD_REQUEST', run: () => db.query('  -- nothing') },
  { name: 'SQL that is not text', code: 'HUB_BAD_REQUEST', run: () => db.query(42) },
  { name: 'a write in iterate', code: 'HUB_REFUSED', run: async () => { for await (const _ of db.iterate('DELETE FROM control RETURNING id')); } },
  { name: 'a batch that is no array', code: 'HUB_BAD_REQUEST', run: () => db.batch('SELECT 1') },
  { name: 'an option unknown to open', code: 'HUB_BAD_OPTION', message: /durabilty/, run: () => tabhub.open('other.db', { durabilty: 'strict' }) },
  { name: 'a durability that is none', code: 'HUB_BAD_OPTION', message: /durability/, run: () => tabhub.open('other.db', { durability: 'sometimes' }) },
  { name: 'a persistence that is none', code: 'HUB_BAD_OPTION', run: () => tabhub.open('other.db', { persistence: true }) },
  { name: 'an option unknown to query', code: 'HUB_BAD_OPTION', message: /rowmode/, run: () => db.query('SELECT 1', [], { rowmode: 'array' }) },
  { name: 'a rowMode that is none', code: 'HUB_BAD_OPTION', run: () => db.query('SELECT 1', [], { rowMode: 'map' }) },
  { name: 'a negative timeout', code: 'HUB_BAD_OPTION', run: () => db.query('SELECT 1', [], { timeout: -1 }) },
  { name: 'a mode that is none', code: 'HUB_BAD_OPTION', run: () => db.transaction(async () => {}, { mode: 'exclusive' }) },
  { name: 'a nested transaction', code: 'HUB_TRANSACTION_NESTED', run: () => db.transaction(async (tx) => {
    await tx.run("INSERT INTO scratch (v) VALUES ('outer')");
    await tx.transaction(async () => {});
  }) },
  { name: 'a transaction used after its end', code: 'HUB_TRANSACTION_CLOSED', run: async () => {
    let kept;
    await db.transaction(async (tx) => { kept = tx; await tx.all('SELECT 1'); });
    await kept.run("INSERT INTO scratch (v) VALUES ('late')");
  } },
  { name: 'a query past its deadline', code: 'HUB_TIMEOUT', run: () => db.all(harness.endless, [], { timeout: 300 }) },
  { name: 'a write past its deadline', code: 'HUB_TIMEOUT', run: () => db.run(`INSERT INTO scratch (v) ${harness.endless}`, [], { timeout: 300 }) },
  { name: 'a write cancelled while it waits its turn', code: 'HUB_CANCELLED', run: () => db.transaction(async (tx) => {
    await tx.run("INSERT INTO scratch (v) VALUES ('first')");
    const abort = new AbortController();
    setTimeout(() => abort.abort(), 50);
    await db.run('DELETE FROM child', [], { signal: abort.signal });
  }) },
  { name: 'a write cancelled beforehand', code: 'HUB_CANCELLED', run: () => db.run('DELETE FROM child', [], { signal: AbortSignal.abort() }) },
];

const PRAGMAS = [
  'journal_mode = WAL',
  'journal_mode = OFF',
  'locking_mode = EXCLUSIVE',
  'writable_schema = ON',
  'mmap_size = 1000000',
  'synchronous = OFF',
  'page_size = 512',
  'no_such_pragma',
  'no_such_pragma = 1',
];

const REFUSED = [
  { name: 'BEGIN in query', code: 'HUB_TRANSACTION_CONTROL', run: () => db.query('BEGIN') },
  { name: 'COMMIT in run', code: 'HUB_TRANSACTION_CONTROL', run: () => db.run('COMMIT') },
  { name: 'ROLLBACK in a batch', code: 'HUB_TRANSACTION_CONTROL', run: () => db.batch(["INSERT INTO scratch (v) VALUES (1)", 'ROLLBACK']) },
  { name: 'COMMIT in tx.exec', code: 'HUB_TRANSACTION_CONTROL', run: () => db.transaction(async (tx) => {
    await tx.run("UPDATE control SET v = 'changed'");
    await tx.exec('COMMIT');
  }) },
  { name: 'BEGIN in tx.query', code: 'HUB_TRANSACTION_CONTROL', run: () => db.transaction((tx) => tx.query('BEGIN IMMEDIATE')) },
  { name: 'ATTACH', code: 'HUB_REFUSED', run: () => db.exec("ATTACH ':memory:' AS other") },
  { name: 'DETACH', code: 'HUB_REFUSED', run: () => db.exec('DETACH main') },
  { name: 'CREATE TEMP TABLE', code: 'HUB_REFUSED', run: () => db.exec('CREATE TEMP TABLE mine (a)') },
  { name: 'CREATE TEMP VIEW', code: 'HUB_REFUSED', run: () => db.exec('CREATE TEMP VIEW mine AS SELECT 1') },
  { name: 'CREATE TABLE temp.mine', code: 'HUB_REFUSED', run: () => db.run('CREATE TABLE temp.mine (a)') },
  { name: 'VACUUM INTO', code: 'HUB_REFUSED', run: () => db.exec("VACUUM INTO 'file.db'") },
  ...PRAGMAS.map((pragma) => ({
    name: `PRAGMA ${pragma}`,
    code: 'HUB_REFUSED',
    message: new RegExp(pragma.split(' ')[0]),
    argument: `PRAGMA ${pragma}`,
    run: (sql) => db.query(sql),
  })),
];

const IMPORTS = [
  { name: 'random bytes', code: 'HUB_NOT_A_DATABASE', run: () => db.import(crypto.getRandomValues(new Uint8Array(50_000))) },
  { name: 'a text file', code: 'HUB_NOT_A_DATABASE', run: () => db.import(new Blob(['id;name\n1;one\n'.repeat(1000)])) },
  { name: 'an empty file', code: 'HUB_NOT_A_DATABASE', run: () => db.import(new Blob([])) },
  { name: 'a header alone', code: 'HUB_NOT_A_DATABASE', run: async () => db.import((await db.export()).slice(0, 100)) },
  { name: 'a file cut inside a page', code: 'HUB_NOT_A_DATABASE', run: async () => {
    const whole = await db.export();
    return db.import(whole.slice(0, whole.length - 1000));
  } },
  { name: 'a file cut between two pages', code: 'HUB_NOT_A_DATABASE', run: async () => {
    const whole = await db.export();
    const pageBytes = (whole[16] << 8) | whole[17];
    return db.import(whole.slice(0, whole.length - (pageBytes === 1 ? 65536 : pageBytes)));
  } },
  { name: 'a file whose schema page is garbled', code: 'HUB_NOT_A_DATABASE', run: async () => {
    const whole = await db.export();
    whole.fill(0xee, 100, 300);
    return db.import(whole);
  } },
  { name: 'text instead of bytes', code: 'HUB_BAD_VALUE', run: () => db.import('SQLite format 3') },
  { name: 'null instead of bytes', code: 'HUB_BAD_VALUE', run: () => db.import(null) },
];

export const REFUSALS = { 'SQL errors': SQL_ERRORS, constraints: CONSTRAINTS, parameters: PARAMETERS, calls: CALLS, refused: REFUSED, imports: IMPORTS };
