// The app's one connection, and the schema. A module of its own: it outlives the hot reloads of the components.
import { open } from 'tabhub';

export interface Habit {
  id: number;
  name: string;
  days: number;
  /** 1 if it is ticked today. */
  done: number;
}

export const database = open('vite-app.db', {
  migrations: [
    { version: 1, up: 'CREATE TABLE habit (id INTEGER PRIMARY KEY, name TEXT NOT NULL)' },
    {
      version: 2,
      up: `CREATE TABLE tick (
        habit INTEGER NOT NULL REFERENCES habit ON DELETE CASCADE,
        day TEXT NOT NULL,
        PRIMARY KEY (habit, day)
      ) WITHOUT ROWID`,
    },
  ],
});

export const HABITS = `
  SELECT id, name, count(day) AS days, ifnull(max(day = ?), 0) AS done
  FROM habit LEFT JOIN tick ON habit = id
  GROUP BY id ORDER BY id`;

// When this very file is edited, its next version opens anew.
import.meta.hot?.dispose(() => void database.then((db) => db.close()));
