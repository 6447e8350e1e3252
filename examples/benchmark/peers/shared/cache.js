/** Every SQLite gets the page cache that tabhub has by default, because the engines' own defaults differ eightfold. */
export const CACHE_KIB = 32 * 1024;

export const CACHE_PRAGMA = `PRAGMA cache_size = -${CACHE_KIB}`;
