// How long the callers of writes and reads waited, and what of it is worth telling. The ledger measures in the page (ledger.js); the
// failover tests report it. It never judges: times depend on the machine.

/** The waits, `{ tab, lane, began, ms }`, that were under way at some moment between two times, in ms since 1970. */
export const around = (waits, from, to) => waits.filter(({ began, ms }) => began <= to && began + ms >= from);

/** The longest wait of each tab, the longest first. */
export function longestOfEach(waits) {
  const longest = new Map();
  for (const { tab, ms } of waits) longest.set(tab, Math.max(ms, longest.get(tab) ?? 0));
  return [...longest.values()].sort((a, b) => b - a);
}

/** The least of the values that so much of them (0 to 1) do not exceed; undefined of none. */
export function quantile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
}
