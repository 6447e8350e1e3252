// The list itself: rows from a live query, which every tab's writes change.
import { use, useState, type FormEvent } from 'react';
import { useLiveQuery } from 'tabhub/react';
import { HABITS, database, type Habit } from './database';
import { Notice } from './Notice';

/** The day where the user is, as 2026-01-31. */
const today = () => new Date().toLocaleDateString('sv');

export function App() {
  const db = use(database);
  const { rows, error, isLoading } = useLiveQuery<Habit>(db, HABITS, [today()]);
  const [failure, setFailure] = useState<unknown>();

  const write = (sql: string, params: (string | number)[]) => {
    setFailure(undefined);
    db.run(sql, params).catch(setFailure);
  };

  const add = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const name = String(new FormData(event.currentTarget).get('name')).trim();
    event.currentTarget.reset();
    if (name) write('INSERT INTO habit (name) VALUES (?)', [name]);
  };

  const tick = ({ id, done }: Habit) =>
    write(done ? 'DELETE FROM tick WHERE habit = ? AND day = ?' : 'INSERT OR IGNORE INTO tick VALUES (?, ?)', [id, today()]);

  return (
    <section aria-label="Habits">
      {(error ?? failure) !== undefined && <Notice error={error ?? failure} />}
      <form onSubmit={add}>
        <input name="name" aria-label="New habit" placeholder="Read ten pages" maxLength={100} autoComplete="off" required />
        <button type="submit" className="primary">Add</button>
      </form>
      {isLoading && <p role="status">Reading…</p>}
      {rows?.length === 0 && <p className="muted">Nothing here yet.</p>}
      <ul>
        {rows?.map((habit) => (
          <li key={habit.id}>
            <label>
              <input type="checkbox" checked={habit.done === 1} onChange={() => tick(habit)} />
              <span>{habit.name}</span>
            </label>
            <span className="muted">{habit.days === 1 ? '1 day' : `${habit.days} days`}</span>
            <button type="button" aria-label={`Delete ${habit.name}`} onClick={() => write('DELETE FROM habit WHERE id = ?', [habit.id])}>✕</button>
          </li>
        ))}
      </ul>
    </section>
  );
}
