/** A table in Markdown. */
export function table(head, rows) {
  const line = (cells) => `| ${cells.map(escaped).join(' | ')} |`;
  return [line(head), `|${'---|'.repeat(head.length)}`, ...rows.map(line)].join('\n');
}

export const escaped = (text) => String(text).replaceAll('|', '\\|').replaceAll('\n', ' ');
