// A query plan as an indented tree. Called by main.js.
import { el } from '../page.js';

/** Rows of EXPLAIN QUERY PLAN: {id, parent, detail}. */
export function planTree(rows) {
  const lines = [];
  const visit = (parent, depth) => {
    for (const row of rows.filter(candidate => candidate.parent === parent)) {
      lines.push(`${'   '.repeat(depth)}${depth ? '└─ ' : ''}${row.detail}`);
      visit(row.id, depth + 1);
    }
  };
  visit(0, 0);
  return el('pre', { className: 'plan', tabIndex: 0 }, lines.join('\n'));
}
