/** A table in Markdown. */
export function table(head, rows) {
  const line = (cells) => `| ${cells.map(escape).join(' | ')} |`;
  return [line(head), `|${'---|'.repeat(head.length)}`, ...rows.map(line)].join('\n');
}

export const escape = (text) => String(text).replaceAll('|', '\\|').replaceAll('\n', ' ');
