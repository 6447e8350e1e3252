// Queries to try on the sample data, each showing one thing that SQLite can do, and quick actions on any database. Data only; used by main.js.

export const SAMPLES = [
  ['Join: the busiest routes', `SELECT a.city AS "from", b.city AS "to", count(*) AS flights,
       round(avg(f.delay), 1) AS mean_delay, max(f.delay) AS worst
FROM flight AS f
JOIN airport AS a ON a.iata = f.origin
JOIN airport AS b ON b.iata = f.destination
GROUP BY f.origin, f.destination
ORDER BY flights DESC
LIMIT 25;`],
  ['Window: best film of each year', `SELECT year, title, director, imdb_rating, votes
FROM (
  SELECT substr(released, 1, 4) AS year, title, director, imdb_rating, imdb_votes AS votes,
         row_number() OVER (PARTITION BY substr(released, 1, 4) ORDER BY imdb_rating DESC, imdb_votes DESC) AS place
  FROM movie
  WHERE imdb_votes > 5000
)
WHERE place = 1
ORDER BY year DESC;`],
  ['Window: weather of the week', `SELECT date, weather, temp_max,
       round(avg(temp_max) OVER week, 2) AS mean_of_week,
       round(sum(precipitation) OVER (PARTITION BY substr(date, 1, 7) ORDER BY date), 1) AS rain_so_far_this_month
FROM weather
WINDOW week AS (ORDER BY date ROWS 6 PRECEDING);`],
  ['Recursive: two stops away', `WITH RECURSIVE trip (airport, stops, path) AS (
  SELECT 'FAI', 0, 'FAI'
  UNION
  SELECT f.destination, stops + 1, path || ' → ' || f.destination
  FROM trip
  JOIN (SELECT DISTINCT origin, destination FROM flight) AS f ON f.origin = trip.airport
  WHERE stops < 2 AND instr(path, f.destination) = 0
)
SELECT stops, a.city, path
FROM trip JOIN airport AS a ON a.iata = trip.airport
WHERE stops > 0
ORDER BY stops, a.city;`],
  ['FTS5: search in titles', `SELECT highlight(movie_search, 0, '«', '»') AS title, m.released, m.director, round(bm25(movie_search), 3) AS rank
FROM movie_search
JOIN movie AS m ON m.id = movie_search.rowid
WHERE movie_search MATCH 'title : (star OR moon OR planet*) NOT trek'
ORDER BY rank;`],
  ['JSON: inside and out', `SELECT origin,
       count(*) AS cars,
       round(avg(specification ->> '$.miles_per_gallon'), 1) AS mean_mpg,
       json_group_array(DISTINCT specification ->> '$.cylinders' ORDER BY 1) AS cylinders
FROM car
GROUP BY origin
ORDER BY mean_mpg DESC;`],
  ['R*Tree: airports in a box', `SELECT a.iata, a.name, a.city, p.min_latitude AS latitude, p.min_longitude AS longitude
FROM airport_position AS p
JOIN airport AS a ON a.id = p.id
WHERE p.min_latitude BETWEEN 47 AND 48.5 AND p.min_longitude BETWEEN -123 AND -121
ORDER BY a.city;`],
  ['Many rows: each flight', `SELECT * FROM flight;`],
  ['Every type', `SELECT NULL AS "null", 9007199254740993 AS "bigint", 0.1 AS "real", 'Grüße ✓' AS "text", x'00ff7f53514c' AS "blob";`],
  ['Several statements', `CREATE TABLE IF NOT EXISTS favourite (movie INTEGER PRIMARY KEY REFERENCES movie (id));
INSERT OR IGNORE INTO favourite SELECT id FROM movie ORDER BY imdb_rating DESC NULLS LAST LIMIT 10;`],
  ['An error', `SELECT title, directr FROM movie;`],
];

/** What one does with any database: the name, the SQL, and whether it is only written into the editor, to be changed before it is run. */
export const ACTIONS = [
  { name: 'New table…', isTemplate: true, sql: `CREATE TABLE new_table (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  made_at TEXT NOT NULL DEFAULT current_timestamp
) STRICT;` },
  { name: 'New index…', isTemplate: true, sql: 'CREATE INDEX new_index ON table_name (column_name);' },
  { name: 'All indexes', sql: `SELECT t.name AS "table", i.name AS "index", i."unique", i.partial, group_concat(c.name, ', ' ORDER BY c.seqno) AS columns
FROM pragma_table_list AS t
JOIN pragma_index_list(t.name) AS i
JOIN pragma_index_info(i.name) AS c
WHERE t.schema = 'main' AND t.type = 'table'
GROUP BY t.name, i.name
ORDER BY t.name, i.seq;` },
  { name: 'All foreign keys', sql: `SELECT t.name AS "table", f."from", f."table" AS parent, f."to", f.on_update, f.on_delete
FROM pragma_table_list AS t
JOIN pragma_foreign_key_list(t.name) AS f
WHERE t.schema = 'main'
ORDER BY t.name, f.id, f.seq;` },
  { name: 'Size of the database', sql: `SELECT page_count * page_size AS bytes, page_count AS pages, page_size, freelist_count AS free_pages, user_version
FROM pragma_page_count, pragma_page_size, pragma_freelist_count, pragma_user_version;` },
  { name: 'Check integrity', sql: 'PRAGMA integrity_check;' },
  { name: 'Check foreign keys', sql: 'PRAGMA foreign_key_check;' },
  { name: 'Refresh statistics (ANALYZE)', sql: 'ANALYZE;' },
  { name: 'Compact (VACUUM)', sql: 'VACUUM;' },
];
