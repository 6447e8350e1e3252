/** What `SELECT grp, count(*) AS n, sum(amount) AS total … GROUP BY grp ORDER BY grp` gives, for peers without SQL. */
export function groupBy(rows) {
  const groups = new Map();
  for (const { grp, amount } of rows) {
    const group = groups.get(grp);
    if (group) {
      group.n++;
      group.total += amount;
    } else {
      groups.set(grp, { grp, n: 1, total: amount });
    }
  }
  return [...groups.values()].sort((a, b) => a.grp - b.grp);
}
