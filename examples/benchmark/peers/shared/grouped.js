/** Runs of one statement, `[[sql, params], …]`, become `[[sql, [params, …]], …]`: its text is copied once, and what runs a statement many times can. */
export function grouped(statements) {
  const groups = [];
  for (const [sql, params] of statements) {
    if (groups.at(-1)?.[0] === sql) groups.at(-1)[1].push(params);
    else groups.push([sql, [params]]);
  }
  return groups;
}
