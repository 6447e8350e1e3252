/** How figures are summed up and printed: medians with their spread, and tables. Called by every part; it measures nothing. */
import { median } from '../../../examples/benchmark/workloads/common.js';

export const MIB = 1 << 20;

/** The middle one, and the least and the largest. */
export const spread = (values) => ({ median: median(values), min: Math.min(...values), max: Math.max(...values) });

/** `values` sorted here; `part` from 0 to 1. */
export function quantile(values, part) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))];
}

/** Round by round, since the machine is another one at each. */
export const ratios = (ones, others) => spread(ones.map((one, at) => one / others[at]));

export const show = ({ median, min, max }) => `${short(median)} (${short(min)}–${short(max)})`;
export const short = (value) => (value >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(value < 1 ? 2 : 3))));
export const mib = (bytes) => short(bytes / MIB);

export function table(title, head, rows) {
  const lines = [head, ...rows].map((row) => row.map(String));
  const widths = head.map((_, at) => Math.max(...lines.map((line) => line[at].length)));
  console.log(`\n${title}`);
  for (const line of lines) console.log(`  ${line.map((cell, at) => (at === 0 ? cell.padEnd(widths[at]) : cell.padStart(widths[at] + 3))).join('')}`);
}
