/** What the workloads share: rows that are the same in every run, the assertion, and the clock. Runs in the page; needs nothing of the runner. */

/** Text of `length` characters that differs by `seed` and does not compress to nothing, as what people store. */
export function textOf(seed, length) {
  let state = Math.imul(seed + 1, 0x9e3779b1) >>> 0;
  let text = `${seed} `;
  while (text.length < length) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    text += state.toString(36);
  }
  return text.slice(0, length);
}

/** Items `first`, `first + 1`, … */
export const itemsOf = (count, bytes, first = 1) => Array.from({ length: count }, (_, at) => ({ id: first + at, body: textOf(first + at, bytes) }));

/** Throws at a result that is not what was stored, and names it. */
export function expect(what, got, wanted) {
  const [seen, due] = [JSON.stringify(got), JSON.stringify(wanted)];
  if (seen !== due) throw new Error(`${what}: expected ${String(due).slice(0, 200)}, got ${String(seen).slice(0, 200)}`);
}

/** As `expect`, of many rows: only the first that differs is shown. */
export function expectRows(what, got, wanted) {
  expect(`${what}, number of rows`, got.length, wanted.length);
  for (let at = 0; at < wanted.length; at++) {
    for (const key in wanted[at]) if (got[at][key] !== wanted[at][key]) expect(`${what}, row ${at}`, got[at], wanted[at]);
  }
}

/** How long `work` takes, in ms, and what it answers. */
export async function timed(work) {
  const begun = performance.now();
  const value = await work();
  return { ms: performance.now() - begun, value };
}

/** The middle one; of an even number, halfway between the middle two. */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

/** At the same moment in every tab: their clocks on the wall agree well enough for that. */
export const sleepUntil = (wall_ms) => new Promise((resolve) => setTimeout(resolve, Math.max(0, wall_ms - Date.now())));
