// Runs the sections on a database, statement by statement, and tells what came of each. Called by main.js; never touches the page.

/** A statement and what came of it: `rows` and `columns`, or the `error` that it must fail with; `isRight`: as the section says that it must be. */
async function runStep(db, { sql, params, fails, shows, transaction, endsWell }) {
  if (transaction) return { sql: transaction.join(';\n'), ...await runTransaction(db, transaction, endsWell) };
  try {
    // A script has no parameters and no rows.
    const isScript = /;\s*\S/.test(sql);
    const { rows = [], columns = [], changes } = isScript ? await db.exec(sql) : await db.query(sql, params);
    return { sql, params, rows, columns, changes, isRight: !fails && (!shows || shows(rows)) };
  } catch (error) {
    return { sql, params, rows: [], columns: [], error: { code: error.code, message: error.message }, isRight: error.code === fails };
  }
}

async function runTransaction(db, statements, endsWell) {
  const changedMind = new Error('changed its mind');
  const outcome = await db.transaction(async tx => {
    for (const sql of statements) await tx.exec(sql);
    if (!endsWell) throw changedMind;
    return 'committed';
  }).catch(error => (error === changedMind ? 'rolled back' : error.message));
  return { rows: [], columns: [], outcome, isRight: outcome === (endsWell ? 'committed' : 'rolled back') };
}

/** Each section as it ends: its title and the steps with what came of them. */
export async function* tour(db, sections) {
  for (const { title, text, steps } of sections) {
    const results = [];
    const begun = performance.now();
    for (const step of steps) results.push(await runStep(db, step));
    yield { title, text, results, ms: performance.now() - begun };
  }
}
