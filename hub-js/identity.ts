/** When two values are the same to SQLite and to a reader: as text, to be compared and looked up. Called by `live.ts` and the React adapter. It knows no class but bytes. */
import { asBytes } from './values.js';

/** Equal for equal values, however deep they lie; other for a bigint than for the number, and for bytes than for their text. */
export function textOf(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) => {
    if (typeof part === 'bigint') return { bigint: String(part) };
    if (typeof part === 'number' && !Number.isFinite(part)) return { number: String(part) };
    const bytes = asBytes(part);
    return bytes ? { bytes: [...bytes] } : part;
  });
}
