// What the tour shows: one section for each thing that SQLite can do, its statements run in order on one database. Data only; run by tour.js.
// `params`: of the statement. `fails`: the code that it must fail with. `shows`: what its rows must be like, so that a tour that has
// gone wrong says so. `transaction`: the statements of one transaction, and whether it ends well.

export const SECTIONS = [
  {
    title: 'Tables and foreign keys',
    text: 'Foreign keys are enforced in every tab, without a pragma. Deleting an author takes the books along.',
    steps: [
      { sql: `CREATE TABLE author (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, born INTEGER);
CREATE TABLE book (
  id INTEGER PRIMARY KEY,
  author_id INTEGER NOT NULL REFERENCES author ON DELETE CASCADE,
  title TEXT NOT NULL,
  year INTEGER CHECK (year > 1400),
  price REAL NOT NULL DEFAULT 10.0
);
CREATE INDEX book_author ON book (author_id);` },
      { sql: `INSERT INTO author (name, born) VALUES ('Mary Shelley', 1797), ('Jules Verne', 1828), ('H. G. Wells', 1866)` },
      { sql: `INSERT INTO book (author_id, title, year, price)
SELECT author.id, column2, column3, column4
FROM (VALUES ('Mary Shelley', 'Frankenstein', 1818, 9.5), ('Mary Shelley', 'The Last Man', 1826, 12.0),
             ('Jules Verne', 'Journey to the Center of the Earth', 1864, 8.0), ('Jules Verne', 'Around the World in Eighty Days', 1872, 7.5),
             ('H. G. Wells', 'The Time Machine', 1895, 6.5), ('H. G. Wells', 'The Invisible Man', 1897, 7.0), ('H. G. Wells', 'The War of the Worlds', 1898, 8.5))
JOIN author ON author.name = column1` },
      { sql: `INSERT INTO book (author_id, title) VALUES (99, 'By nobody')`, fails: 'SQLITE_CONSTRAINT_FOREIGNKEY' },
      { sql: `INSERT INTO book (author_id, title, year) VALUES (1, 'Too early', 1200)`, fails: 'SQLITE_CONSTRAINT_CHECK' },
      { sql: `INSERT INTO author (name) VALUES (?)`, params: ['Jules Verne'], fails: 'SQLITE_CONSTRAINT_UNIQUE' },
    ],
  },
  {
    title: 'Joins',
    text: 'Every author with the books, also one who has none.',
    steps: [
      { sql: `INSERT INTO author (name, born) VALUES (?, ?)`, params: ['Margaret Cavendish', 1623] },
      { sql: `SELECT author.name, count(book.id) AS books, group_concat(book.title, ' · ' ORDER BY book.year) AS titles
FROM author LEFT JOIN book ON book.author_id = author.id
GROUP BY author.id ORDER BY books DESC, author.name`, shows: (rows) => rows.length === 4 && rows[3].books === 0 },
    ],
  },
  {
    title: 'Aggregates',
    text: 'Groups, filters inside an aggregate, and a condition on the group.',
    steps: [
      { sql: `SELECT year / 50 * 50 AS half_century, count(*) AS books, round(avg(price), 2) AS mean_price,
       count(*) FILTER (WHERE price > 8) AS above_8, min(title) AS first_title
FROM book GROUP BY half_century HAVING count(*) > 1 ORDER BY half_century`, shows: (rows) => rows.reduce((sum, { books }) => sum + books, 0) >= 6 },
    ],
  },
  {
    title: 'Window functions',
    text: 'A rank within each author, and a running total over the years.',
    steps: [
      { sql: `SELECT author.name, title, year, price,
       rank() OVER (PARTITION BY author_id ORDER BY price DESC) AS place,
       round(sum(price) OVER (ORDER BY year ROWS UNBOUNDED PRECEDING), 2) AS total_so_far,
       year - lag(year) OVER (ORDER BY year) AS years_since
FROM book JOIN author ON author.id = author_id ORDER BY year`, shows: (rows) => rows.length === 7 && rows[0].years_since === null },
    ],
  },
  {
    title: 'Transactions',
    text: 'A transaction across awaits: what its function throws takes everything back. A savepoint takes back a part.',
    steps: [
      { transaction: [`UPDATE book SET price = price * 2`, `DELETE FROM author WHERE name = 'Jules Verne'`], endsWell: false },
      { sql: `SELECT count(*) AS books, round(sum(price), 2) AS total FROM book`, shows: ([row]) => row.books === 7 && row.total === 59 },
      { transaction: [`UPDATE book SET price = price + 1 WHERE year < 1850`, `SAVEPOINT risky`, `DELETE FROM book`, `ROLLBACK TO risky`], endsWell: true },
      { sql: `SELECT count(*) AS books, round(sum(price), 2) AS total FROM book`, shows: ([row]) => row.books === 7 && row.total === 61 },
      { sql: `DELETE FROM author WHERE name = 'Jules Verne' RETURNING name` , shows: (rows) => rows.length === 1 },
      { sql: `SELECT count(*) AS books_left FROM book`, shows: ([row]) => row.books_left === 5 },
    ],
  },
  {
    title: 'Upsert and RETURNING',
    text: 'Insert, or change what is there, in one statement that answers what it did.',
    steps: [
      { sql: `CREATE TABLE stock (title TEXT PRIMARY KEY, copies INTEGER NOT NULL) WITHOUT ROWID` },
      ...[['Frankenstein', 3], ['The Time Machine', 2], ['Frankenstein', 4]].map((params) => ({
        sql: `INSERT INTO stock VALUES (?, ?) ON CONFLICT (title) DO UPDATE SET copies = copies + excluded.copies RETURNING title, copies`, params,
        shows: ([row]) => row.title === params[0] && row.copies >= params[1],
      })),
    ],
  },
  {
    title: 'Full-text search',
    text: 'An FTS5 index that triggers keep up to date; ranked, with the words marked.',
    steps: [
      { sql: `CREATE VIRTUAL TABLE book_search USING fts5 (title, content = 'book', content_rowid = 'id', tokenize = 'porter');
INSERT INTO book_search (book_search) VALUES ('rebuild');
CREATE TRIGGER book_added AFTER INSERT ON book BEGIN
  INSERT INTO book_search (rowid, title) VALUES (new.id, new.title);
END;` },
      { sql: `INSERT INTO book (author_id, title, year) VALUES ((SELECT id FROM author WHERE name = ?), ?, ?)`, params: ['Margaret Cavendish', 'The Blazing World', 1666] },
      { sql: `SELECT highlight(book_search, 0, '«', '»') AS title, round(bm25(book_search), 2) AS rank
FROM book_search WHERE book_search MATCH ? ORDER BY rank`, params: ['world OR machines'], shows: (rows) => rows.length === 3 && rows.every(({ title }) => title.includes('«')) },
    ],
  },
  {
    title: 'JSON',
    text: 'Documents in a column, taken apart by path, indexed by an expression, put together again.',
    steps: [
      { sql: `CREATE TABLE review (id INTEGER PRIMARY KEY, body TEXT NOT NULL CHECK (json_valid(body)));
CREATE INDEX review_stars ON review (body ->> 'stars');` },
      { sql: `INSERT INTO review (body) SELECT value FROM json_each(?)`, params: [JSON.stringify([
        { book: 'Frankenstein', stars: 5, tags: ['gothic', 'classic'] }, { book: 'The Time Machine', stars: 4, tags: ['classic', 'short'] }, { book: 'Frankenstein', stars: 3, tags: ['long'] },
      ])] },
      { sql: `INSERT INTO review (body) VALUES ('{ not json')`, fails: 'SQLITE_CONSTRAINT_CHECK' },
      { sql: `SELECT body ->> 'book' AS book, max(body ->> 'stars') AS best, json_group_array(DISTINCT tag.value) AS tags
FROM review, json_each(body, '$.tags') AS tag GROUP BY book ORDER BY best DESC`, shows: (rows) => rows.length === 2 && JSON.parse(rows[0].tags).length > 1 },
    ],
  },
  {
    title: 'Recursive queries',
    text: 'A common table expression that refers to itself: a calendar out of nothing.',
    steps: [
      { sql: `WITH RECURSIVE day (date) AS (
  SELECT date('2024-02-26') UNION ALL SELECT date(date, '+1 day') FROM day WHERE date < '2024-03-02'
)
SELECT date, strftime('%w', date) IN ('0', '6') AS weekend FROM day`, shows: (rows) => rows.length === 6 && rows[3].date === '2024-02-29' },
    ],
  },
];
