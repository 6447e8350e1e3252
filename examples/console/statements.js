// What a console must know about SQL text, and no more: is it one statement, does it only read, where is byte n. Pure functions.

const TOKEN = /'(?:[^']|'')*'?|"(?:[^"]|"")*"?|`[^`]*`?|\[[^\]]*\]?|--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)|;|\s+|\w+|[\s\S]/g;
const isBlank = token => /^(\s|--|\/\*)/.test(token);

/** A name as it may stand in any SQL. */
export const quote = name => `"${name.replaceAll('"', '""')}"`;

/** How many statements the text holds, comments and empty ones not counted. A trigger's body counts as several: it goes through exec as well. */
export function countStatements(sql) {
  let statements = 0;
  let inside = false;
  for (const [token] of sql.matchAll(TOKEN)) {
    if (token === ';') inside = false;
    else if (!isBlank(token) && !inside) {
      inside = true;
      statements++;
    }
  }
  return statements;
}

/** One statement without the semicolons that may end it. */
export function body(sql) {
  return [...sql.matchAll(TOKEN)].map(([token]) => token).filter(token => token !== ';').join('');
}

/** Whether the statement is a query, whose rows can be streamed. WITH may introduce a write, so it is looked into. */
export function readsOnly(sql) {
  const words = [...sql.matchAll(TOKEN)].map(([token]) => token).filter(token => /^\w/.test(token)).map(word => word.toUpperCase());
  if (words[0] === 'WITH') return !words.some(word => ['INSERT', 'UPDATE', 'DELETE', 'REPLACE'].includes(word));
  return ['SELECT', 'VALUES'].includes(words[0]);
}

/** The index in a JavaScript string of byte `offset` of its UTF-8 form, which is how SQLite counts. */
export function indexOfByte(text, offset) {
  return new TextDecoder().decode(new TextEncoder().encode(text).subarray(0, offset)).length;
}

/** The line around `index`, in three parts with the offending token in the middle. */
export function excerpt(text, index) {
  const start = text.lastIndexOf('\n', index - 1) + 1;
  const rest = /^.*/.exec(text.slice(index))[0];
  const [token] = /^(?:"[^"]*"|'[^']*'|[\w.]+|\S|)/.exec(rest);
  return {
    before: text.slice(start, index),
    token: token || ' ',
    after: rest.slice(token.length),
  };
}
