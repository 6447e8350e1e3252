// The sample data: files of the npm package vega-datasets (served under /data/) become typed tables. Called by main.js.
import { Papa } from './dist/libraries.js';

const SCHEMA = `
  DROP TABLE IF EXISTS favourite;
  DROP TABLE IF EXISTS movie_search;
  DROP TABLE IF EXISTS movie;
  DROP TABLE IF EXISTS flight;
  DROP TABLE IF EXISTS airport_position;
  DROP TABLE IF EXISTS airport;
  DROP TABLE IF EXISTS car;
  DROP TABLE IF EXISTS country_year;
  DROP TABLE IF EXISTS weather;

  CREATE TABLE movie (
    id INTEGER PRIMARY KEY, title TEXT, released TEXT NOT NULL, genre TEXT, director TEXT, distributor TEXT,
    minutes INTEGER, budget INTEGER, gross INTEGER, imdb_rating REAL, imdb_votes INTEGER, rotten_tomatoes INTEGER
  );
  CREATE TABLE airport (
    id INTEGER PRIMARY KEY, iata TEXT NOT NULL UNIQUE, name TEXT NOT NULL, city TEXT, state TEXT, country TEXT NOT NULL,
    latitude REAL NOT NULL, longitude REAL NOT NULL
  );
  CREATE TABLE flight (
    id INTEGER PRIMARY KEY, departed TEXT NOT NULL, delay INTEGER NOT NULL, distance INTEGER NOT NULL,
    origin TEXT NOT NULL REFERENCES airport (iata), destination TEXT NOT NULL REFERENCES airport (iata)
  );
  CREATE TABLE car (id INTEGER PRIMARY KEY, name TEXT NOT NULL, origin TEXT NOT NULL, specification TEXT NOT NULL CHECK (json_valid(specification)));
  CREATE TABLE country_year (
    country TEXT, year INTEGER, population INTEGER NOT NULL, life_expectancy REAL NOT NULL, fertility REAL NOT NULL,
    PRIMARY KEY (country, year)
  ) WITHOUT ROWID;
  CREATE TABLE weather (date TEXT PRIMARY KEY, precipitation REAL, temp_max REAL, temp_min REAL, wind REAL, weather TEXT) WITHOUT ROWID;`;

// Indexes come after the rows: building them once is cheaper than keeping them up to date row by row.
const INDEXES = `
  CREATE INDEX movie_by_release ON movie (released);
  CREATE INDEX flight_by_route ON flight (origin, destination);
  CREATE VIRTUAL TABLE movie_search USING fts5 (title, director, content = 'movie', content_rowid = 'id');
  INSERT INTO movie_search (movie_search) VALUES ('rebuild');
  CREATE VIRTUAL TABLE airport_position USING rtree (id, min_latitude, max_latitude, min_longitude, max_longitude);
  INSERT INTO airport_position SELECT id, latitude, latitude, longitude, longitude FROM airport;
  ANALYZE;`;

// Each source: the file, the INSERT, and how one record becomes its parameters. Parents come before the rows that refer to them.
const SOURCES = [
  { file: 'movies.json', sql: `INSERT INTO movie (title, released, genre, director, distributor, minutes, budget, gross, imdb_rating, imdb_votes, rotten_tomatoes)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    row: m => [m.Title === null ? null : String(m.Title), isoDate(m['Release Date']), m['Major Genre'], m.Director, m.Distributor, m['Running Time min'],
      m['Production Budget'], m['Worldwide Gross'], m['IMDB Rating'], m['IMDB Votes'], m['Rotten Tomatoes Rating']] },
  { file: 'airports.csv', sql: 'INSERT INTO airport (iata, name, city, state, country, latitude, longitude) VALUES (?, ?, ?, ?, ?, ?, ?)',
    row: a => [a.iata, a.name, a.city || null, a.state || null, a.country, Number(a.latitude), Number(a.longitude)] },
  { file: 'flights-20k.json', sql: 'INSERT INTO flight (departed, delay, distance, origin, destination) VALUES (?, ?, ?, ?, ?)',
    row: f => [f.date.replaceAll('/', '-'), f.delay, f.distance, f.origin, f.destination] },
  { file: 'cars.json', sql: 'INSERT INTO car (name, origin, specification) VALUES (?, ?, ?)',
    row: ({ Name, Origin, ...rest }) => [Name, Origin, JSON.stringify(Object.fromEntries(Object.entries(rest).map(([key, value]) => [key.toLowerCase(), value])))] },
  { file: 'gapminder.json', sql: 'INSERT INTO country_year VALUES (?, ?, ?, ?, ?)',
    row: g => [g.country, g.year, g.pop, g.life_expect, g.fertility] },
  { file: 'seattle-weather.csv', sql: 'INSERT INTO weather VALUES (?, ?, ?, ?, ?, ?)',
    row: w => [w.date, Number(w.precipitation), Number(w.temp_max), Number(w.temp_min), Number(w.wind), w.weather] },
];

const ROWS_PER_BATCH = 500;

/**
 * Replaces the sample tables in one transaction: all of them, or, if anything fails, none. Other tabs read the old tables meanwhile.
 * `onProgress(text, fraction)` is called as it goes on; `signal` takes it back. Returns the number of rows.
 */
export async function loadSamples(db, onProgress, signal) {
  onProgress('fetching the files', 0);
  // Fetched before the transaction begins: it should wait for nothing but the database.
  const sources = await Promise.all(SOURCES.map(async source => ({ ...source, records: await read(source.file) })));
  const total = sources.reduce((sum, { records }) => sum + records.length, 0);
  let done = 0;
  await db.transaction(async tx => {
    await tx.exec(SCHEMA);
    for (const { file, sql, row, records } of sources) {
      for (let i = 0; i < records.length; i += ROWS_PER_BATCH) {
        const batch = records.slice(i, i + ROWS_PER_BATCH);
        await tx.batch(batch.map(record => [sql, row(record)]));
        done += batch.length;
        onProgress(file, done / total);
      }
    }
    onProgress('indexes and full-text search', 1);
    await tx.exec(INDEXES);
  }, { signal });
  return total;
}

async function read(file) {
  const response = await fetch(`/data/${file}`);
  if (!response.ok) throw new Error(`/data/${file}: HTTP ${response.status}. The examples' server takes these files from the npm package vega-datasets: run npm install.`);
  return file.endsWith('.json') ? response.json() : Papa.parse(await response.text(), { header: true, skipEmptyLines: true }).data;
}

/** "Jun 12 1998" to "1998-06-12". The file has years of two digits turned into 20xx: no film in it is newer than 2011. */
function isoDate(text) {
  const [month, day, year] = text.split(' ');
  const months = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ');
  const century = Number(year) > 2011 ? Number(year) - 100 : Number(year);
  return `${century}-${String(months.indexOf(month) + 1).padStart(2, '0')}-${day}`;
}
