// The Chinook music shop: derived tables that both engines build from it, and 25 queries that must answer alike in both.
// four-tabs.test.mjs uses it. Each ORDER BY is total, and sums are rounded before they order anything: SQLite's versions
// add floating point numbers differently in the last digit.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { ROOT } from './site.mjs';

export const CHINOOK_FILE = join(ROOT, '../shared/data/chinook/Chinook_Sqlite.sqlite');
export const NO_CHINOOK = existsSync(CHINOOK_FILE) ? false : 'the Chinook file is not in ../shared/data';

export const CHINOOK_TABLES = [
  'Album', 'Artist', 'Customer', 'Employee', 'Genre', 'Invoice', 'InvoiceLine', 'MediaType', 'Playlist', 'PlaylistTrack', 'Track',
];

export const DERIVED = `
CREATE VIRTUAL TABLE track_text USING fts5(name, composer, tokenize = 'porter unicode61');
INSERT INTO track_text (rowid, name, composer) SELECT TrackId, Name, Composer FROM Track ORDER BY TrackId;
CREATE VIRTUAL TABLE track_box USING rtree(id, seconds_min, seconds_max, megabytes_min, megabytes_max);
INSERT INTO track_box SELECT TrackId, Milliseconds / 1000.0, Milliseconds / 1000.0 + 1, Bytes / 1e6, Bytes / 1e6 FROM Track ORDER BY TrackId;
CREATE TABLE customer_document (id INTEGER PRIMARY KEY, document TEXT NOT NULL CHECK (json_valid(document)));
INSERT INTO customer_document
  SELECT CustomerId, json_object('name', FirstName || ' ' || LastName, 'country', Country, 'company', Company,
    'orders', (SELECT json_group_array(json_object('id', InvoiceId, 'total', Total, 'day', date(InvoiceDate)))
               FROM (SELECT * FROM Invoice WHERE Invoice.CustomerId = Customer.CustomerId ORDER BY InvoiceId)))
  FROM Customer ORDER BY CustomerId;
CREATE INDEX invoice_by_day ON Invoice (InvoiceDate, CustomerId);
`;

export const QUERIES = [
  {
    name: 'join of five tables',
    sql: `SELECT t.TrackId, t.Name AS track, al.Title AS album, ar.Name AS artist, g.Name AS genre, m.Name AS media
      FROM Track t JOIN Album al USING (AlbumId) JOIN Artist ar USING (ArtistId)
        JOIN Genre g ON g.GenreId = t.GenreId JOIN MediaType m ON m.MediaTypeId = t.MediaTypeId
      ORDER BY t.TrackId`,
  },
  {
    name: 'left join with NULLs',
    sql: `SELECT ar.ArtistId, ar.Name, al.AlbumId, al.Title FROM Artist ar LEFT JOIN Album al ON al.ArtistId = ar.ArtistId
      ORDER BY al.AlbumId IS NOT NULL, ar.ArtistId, al.AlbumId`,
  },
  {
    name: 'self join',
    sql: `SELECT e.EmployeeId, e.LastName, boss.LastName AS boss, count(c.CustomerId) AS customers
      FROM Employee e LEFT JOIN Employee boss ON boss.EmployeeId = e.ReportsTo LEFT JOIN Customer c ON c.SupportRepId = e.EmployeeId
      GROUP BY e.EmployeeId ORDER BY e.EmployeeId`,
  },
  {
    name: 'many to many with aggregates',
    sql: `SELECT p.PlaylistId, p.Name, count(pt.TrackId) AS tracks, sum(t.Milliseconds) AS milliseconds, avg(t.Bytes) AS bytes_mean,
        min(t.Name) AS first_name, max(t.Name) AS last_name
      FROM Playlist p LEFT JOIN PlaylistTrack pt USING (PlaylistId) LEFT JOIN Track t USING (TrackId)
      GROUP BY p.PlaylistId ORDER BY p.PlaylistId`,
  },
  {
    name: 'GROUP BY, HAVING, LIMIT',
    sql: `SELECT c.CustomerId, c.LastName, round(sum(i.Total), 2) AS spent, count(*) AS orders, total(i.Total) / count(*) AS mean
      FROM Customer c JOIN Invoice i USING (CustomerId) GROUP BY c.CustomerId HAVING count(*) >= 7 AND spent > 38
      ORDER BY spent DESC, c.CustomerId LIMIT 20 OFFSET 3`,
  },
  {
    name: 'aggregates with FILTER and DISTINCT',
    sql: `SELECT Country, count(*) AS customers, count(*) FILTER (WHERE Company IS NOT NULL) AS companies, count(DISTINCT City) AS cities,
        group_concat(DISTINCT SupportRepId) FILTER (WHERE SupportRepId = 3) AS jane
      FROM Customer GROUP BY Country ORDER BY Country`,
  },
  {
    name: 'window: running totals',
    sql: `SELECT InvoiceId, BillingCountry, Total, sum(Total) OVER country AS running, count(*) OVER country AS nth
      FROM Invoice WINDOW country AS (PARTITION BY BillingCountry ORDER BY InvoiceDate, InvoiceId) ORDER BY InvoiceId`,
  },
  {
    name: 'window: ranks',
    sql: `SELECT TrackId, rank() OVER w AS rank, dense_rank() OVER w AS dense, row_number() OVER (PARTITION BY GenreId ORDER BY Milliseconds, TrackId) AS row,
        percent_rank() OVER w AS percent, cume_dist() OVER w AS cume, ntile(7) OVER (ORDER BY Milliseconds, TrackId) AS seventh
      FROM Track WHERE GenreId < 6 WINDOW w AS (PARTITION BY GenreId ORDER BY Milliseconds / 10000) ORDER BY TrackId`,
  },
  {
    name: 'window: lag, lead, first, last, nth',
    sql: `SELECT InvoiceId, julianday(InvoiceDate) - julianday(lag(InvoiceDate) OVER w) AS days, lead(Total, 2, -1) OVER w AS later,
        first_value(Total) OVER w AS first, last_value(Total) OVER w AS last, nth_value(InvoiceId, 3) OVER w AS third
      FROM Invoice WINDOW w AS (PARTITION BY CustomerId ORDER BY InvoiceDate, InvoiceId) ORDER BY InvoiceId`,
  },
  {
    name: 'window: frames and exclusion',
    sql: `SELECT InvoiceId, avg(Total) OVER (ORDER BY InvoiceId ROWS BETWEEN 3 PRECEDING AND 2 FOLLOWING) AS moving,
        sum(InvoiceId) OVER (ORDER BY CustomerId GROUPS BETWEEN 1 PRECEDING AND CURRENT ROW EXCLUDE CURRENT ROW) AS neighbours,
        max(InvoiceId) OVER (ORDER BY CustomerId RANGE BETWEEN 2 PRECEDING AND 2 FOLLOWING EXCLUDE TIES) AS near
      FROM Invoice ORDER BY InvoiceId`,
  },
  {
    name: 'CTEs over CTEs',
    sql: `WITH line AS (SELECT i.BillingCountry AS country, g.Name AS genre, l.UnitPrice * l.Quantity AS amount
          FROM InvoiceLine l JOIN Invoice i USING (InvoiceId) JOIN Track t USING (TrackId) JOIN Genre g USING (GenreId)),
        by_genre AS MATERIALIZED (SELECT country, genre, round(sum(amount), 2) AS amount FROM line GROUP BY country, genre),
        best AS (SELECT *, row_number() OVER (PARTITION BY country ORDER BY amount DESC, genre) AS place FROM by_genre)
      SELECT country, genre, amount FROM best WHERE place <= 3 ORDER BY country, place`,
  },
  {
    name: 'recursive CTE: a hierarchy',
    sql: `WITH RECURSIVE staff (id, name, depth, path) AS (
        SELECT EmployeeId, LastName, 0, LastName FROM Employee WHERE ReportsTo IS NULL
        UNION ALL SELECT e.EmployeeId, e.LastName, depth + 1, path || ' / ' || e.LastName FROM Employee e JOIN staff ON e.ReportsTo = staff.id)
      SELECT id, printf('%*s%s', depth * 2, '', name) AS indented, depth, path FROM staff ORDER BY path`,
  },
  {
    name: 'recursive CTE: a calendar without gaps',
    sql: `WITH RECURSIVE month (day) AS (SELECT date(min(InvoiceDate), 'start of month') FROM Invoice
          UNION ALL SELECT date(day, '+1 month') FROM month WHERE day < (SELECT max(InvoiceDate) FROM Invoice))
      SELECT month.day, count(i.InvoiceId) AS invoices, coalesce(sum(i.Total), 0) AS total
      FROM month LEFT JOIN Invoice i ON strftime('%Y-%m', i.InvoiceDate) = strftime('%Y-%m', month.day) GROUP BY month.day ORDER BY month.day`,
  },
  {
    name: 'recursive CTE: numbers up to 64 bits',
    sql: `WITH RECURSIVE power (n, value) AS (SELECT 0, 1 UNION ALL SELECT n + 1, value * 2 FROM power WHERE n < 62)
      SELECT n, CAST(value AS TEXT) AS value, value % 997 AS rest, value * 1.5 AS half_more, printf('%x', value) AS hex, ~value & 255 AS bits
      FROM power ORDER BY n`,
  },
  {
    name: 'FTS5: ranked match',
    sql: `SELECT rowid, name, round(bm25(track_text, 10.0, 1.0), 6) AS score FROM track_text WHERE track_text MATCH 'love OR heart OR night'
      ORDER BY score, rowid LIMIT 60`,
  },
  {
    name: 'FTS5: phrase, prefix, NEAR, highlight, snippet',
    sql: `SELECT rowid, highlight(track_text, 0, '[', ']') AS marked, snippet(track_text, -1, '<', '>', '…', 6) AS part
      FROM track_text WHERE track_text MATCH '"the night" OR NEAR(you me, 3) OR run*' ORDER BY rowid`,
  },
  {
    name: 'FTS5: columns, NOT, joined back',
    sql: `SELECT t.TrackId, t.Name, t.Composer, t.UnitPrice FROM track_text f JOIN Track t ON t.TrackId = f.rowid
      WHERE track_text MATCH 'composer : (young OR jagger) NOT name : (down OR "you")' ORDER BY t.TrackId`,
  },
  {
    name: 'JSON: json_each over arrays',
    sql: `SELECT d.id, o.key AS nth, o.value ->> '$.id' AS invoice, o.value ->> 'total' AS total, o.value -> 'day' AS day
      FROM customer_document d, json_each(d.document, '$.orders') o WHERE o.value ->> 'total' > 10 ORDER BY d.id, o.key`,
  },
  {
    name: 'JSON: trees, paths, types, patches',
    sql: `SELECT d.id, t.fullkey, t.type, t.atom, json_type(d.document, '$.company') AS company, json_array_length(d.document, '$.orders') AS orders,
        json_extract(d.document, '$.orders[#-1].id') AS last, json_patch('{"a":1,"b":2}', json_object('b', NULL, 'c', d.id)) AS patched
      FROM customer_document d, json_tree(d.document) t WHERE d.id % 7 = 0 ORDER BY d.id, t.fullkey`,
  },
  {
    name: 'JSON: built by aggregates',
    sql: `SELECT GenreId, json_group_array(json_array(TrackId, Milliseconds)) AS tracks, json_group_object(TrackId, Composer) AS composers
      FROM (SELECT * FROM Track WHERE TrackId < 400 ORDER BY TrackId) GROUP BY GenreId ORDER BY GenreId`,
  },
  {
    name: 'R*Tree: a box, joined back',
    sql: `SELECT b.id, b.seconds_min, b.megabytes_max, t.Name FROM track_box b JOIN Track t ON t.TrackId = b.id
      WHERE b.seconds_min >= 180 AND b.seconds_max <= 260 AND b.megabytes_min BETWEEN 5 AND 9 ORDER BY b.id`,
  },
  {
    name: 'dates and times',
    sql: `SELECT InvoiceId, date(InvoiceDate, '+1 month', 'start of month', '-1 day') AS month_end, strftime('%Y-W%W %j %w %H:%M:%f', InvoiceDate) AS parts,
        julianday(InvoiceDate) AS julian, unixepoch(InvoiceDate) AS unix, datetime(InvoiceDate, 'weekday 0', '+36 hours') AS sunday,
        time(InvoiceDate, '-90 minutes') AS earlier FROM Invoice ORDER BY InvoiceId`,
  },
  {
    name: 'collations, LIKE, GLOB, Unicode',
    sql: `SELECT TrackId, Name, upper(Name) AS upper, length(Name) AS length, unicode(Name) AS first, instr(Name, 'ã') AS tilde,
        Name LIKE '%ÇÃO%' AS folded, substr(Name, -3) AS tail, hex(substr(CAST(Name AS BLOB), 1, 4)) AS bytes, replace(Name, 'a', 'ä') AS umlaut
      FROM Track WHERE Name LIKE '%ção%' OR Name GLOB '[Áá]*' OR Composer LIKE '%ü%' ORDER BY Name COLLATE NOCASE DESC, Composer COLLATE RTRIM, TrackId`,
  },
  {
    name: 'set operations and EXISTS',
    sql: `SELECT Country AS place, 'customer' AS kind FROM Customer UNION SELECT BillingCountry, 'bill' FROM Invoice
      EXCEPT SELECT Country, 'bill' FROM Employee
      UNION ALL SELECT Name, 'unsold genre' FROM Genre g
        WHERE NOT EXISTS (SELECT 1 FROM Track t JOIN InvoiceLine l USING (TrackId) WHERE t.GenreId = g.GenreId)
      UNION ALL SELECT * FROM (SELECT City, 'both' FROM Customer INTERSECT SELECT BillingCity, 'both' FROM Invoice)
      ORDER BY 2, 1`,
  },
  {
    name: 'mathematics, CASE, CAST, row values, printf',
    sql: `SELECT TrackId, sqrt(Milliseconds) AS root, log10(Bytes) AS log, pow(UnitPrice, 3) AS cube, sin(TrackId) AS sine, Milliseconds / 7 AS whole,
        Milliseconds / 7.0 AS exact, CAST(UnitPrice * 100 AS INTEGER) AS cents, CASE WHEN Bytes > 1e7 THEN 'big' WHEN Bytes IS NULL THEN NULL ELSE 'small' END AS size,
        printf('%08.3f|%-6d|%s|%c', UnitPrice, TrackId, NULL, 'x') AS text, quote(Composer) AS quoted, iif(Composer IS NULL, x'00ff', NULL) IS NULL AS flag
      FROM Track WHERE (GenreId, MediaTypeId) IN (VALUES (1, 1), (7, 2), (24, 5)) ORDER BY TrackId`,
  },
];

/** How often each combination of value types occurs: JSON cannot tell 5 from 5.0, this can. */
export function typesOf({ sql }, columns) {
  const types = columns.map((name) => `typeof("${name}")`).join(" || ' ' || ");
  return `WITH answer AS MATERIALIZED (${sql}) SELECT ${types} AS types, count(*) AS rows FROM answer GROUP BY 1 ORDER BY 1`;
}

/** Says where two answers differ, or nothing. Real numbers may differ in the last digits, nothing else may. */
export function difference(rows, expected) {
  if (rows.length !== expected.length) return `${rows.length} rows instead of ${expected.length}`;
  for (const [at, row] of expected.entries()) {
    const names = Object.keys(row).join();
    if (Object.keys(rows[at]).join() !== names) return `row ${at} has columns ${Object.keys(rows[at])} instead of ${names}`;
    const name = Object.keys(row).find((key) => !same(rows[at][key], row[key]));
    if (name) return `row ${at}, ${name}: ${inspect(rows[at][name])} instead of ${inspect(row[name])}`;
  }
  return undefined;
}

function same(value, expected) {
  if (Object.is(value, expected)) return true;
  if (typeof value !== 'number' || typeof expected !== 'number') return false;
  if (Number.isSafeInteger(value) && Number.isSafeInteger(expected)) return false;
  return Math.abs(value - expected) <= 1e-12 * Math.max(Math.abs(value), Math.abs(expected));
}
