/**
 * What a parameter may be and how it is checked, for `queries.ts` and `iterate.ts`. The bytes are `codec.ts`' business.
 * It never guesses: what SQLite cannot store is refused by name.
 */
import { HubError } from './errors.js';
import type { ParamsShape } from './protocol.js';

/** A value SQLite returns. Integers are numbers where they are safe (see the option `bigint`); blobs are their own copies. */
export type SqlValue = null | number | bigint | string | Uint8Array;

/**
 * A value that can be bound. Booleans become 1 and 0; a `Date` becomes its ISO 8601 text in UTC, which SQLite's date functions read;
 * whole numbers up to ±(2^53 − 1) and bigints become INTEGER, other numbers REAL; NaN is stored as NULL, as SQLite does.
 */
export type Bindable = null | boolean | number | bigint | string | Date | ArrayBuffer | ArrayBufferView;

/** Positional values, named ones (keys with or without their `:`, `@` or `$`), or the one value of a statement with one `?`. */
export type Params = readonly Bindable[] | { readonly [name: string]: Bindable } | Bindable;

/** A value as it travels: what `codec.ts` writes. */
export type WireValue = null | number | bigint | string | Uint8Array;

/** Checked parameters: their shape for the header, their values for the block. */
export interface CheckedParams { shape: ParamsShape; values: WireValue[] }

const I64_MIN = -(2n ** 63n);
const I64_MAX = 2n ** 63n - 1n;
const LONE_SURROGATE = /\p{Surrogate}/u;

/** What the parameters belong to, for the error: the SQL and, in a batch, its place. */
interface Owner { sql: string; index?: number | undefined }

/** Checks what a caller passed as parameters. Throws `HUB_BAD_VALUE`, naming the parameter. */
export function checkParams(params: Params | undefined, owner: Owner): CheckedParams {
  if (params === undefined) return { shape: { count: 0 }, values: [] };
  if (isPlainObject(params)) {
    const names = Object.keys(params);
    const values = names.map(name => {
      if (!isWellFormed(name)) throw bad(`parameter '${name}'`, 'has half a surrogate pair in its name', owner);
      return checkValue(params[name], `parameter '${name}'`, owner);
    });
    return { shape: { count: names.length, names }, values };
  }
  // Array.from, not map: a hole in a sparse array is `undefined` and must be refused like one.
  const positional: unknown[] = Array.isArray(params) ? Array.from(params) : [params];
  const values = positional.map((value, index) => checkValue(value, `parameter ${index + 1}`, owner));
  return { shape: { count: values.length }, values };
}

function checkValue(value: unknown, what: string, owner: Owner): WireValue {
  switch (typeof value) {
    case 'number': return value;
    case 'boolean': return value ? 1 : 0;
    case 'object': return checkObject(value, what, owner);
    case 'string':
      if (!isWellFormed(value)) throw bad(what, 'is a string with half a surrogate pair, which UTF-8 cannot hold', owner);
      return value;
    case 'bigint':
      if (value < I64_MIN || value > I64_MAX) throw bad(what, `is ${value}, outside SQLite's 64-bit integers`, owner);
      return value;
    default: throw bad(what, value === undefined ? 'is undefined; pass null for NULL' : `is a ${typeof value}, which SQLite cannot store`, owner);
  }
}

function checkObject(value: object | null, what: string, owner: Owner): WireValue {
  if (value === null) return null;
  const bytes = asBytes(value);
  if (bytes) return bytes;
  if (value instanceof Date) {
    if (Number.isNaN(value.getTime())) throw bad(what, 'is an invalid Date', owner);
    return value.toISOString();
  }
  throw bad(what, `is an object (${value.constructor?.name ?? 'without prototype'}); pass JSON.stringify of it to store it as text`, owner);
}

/** Whether a string can be UTF-8: without half a surrogate pair, which would silently become U+FFFD on its way. */
export function isWellFormed(text: string): boolean {
  return !LONE_SURROGATE.test(text);
}

/** A view of the bytes of a buffer or a view; `undefined` for anything else. */
export function asBytes(value: unknown): Uint8Array | undefined {
  if (value instanceof Uint8Array) return value;
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  return undefined;
}

/** True for `{}` and `Object.create(null)`, of any realm. */
export function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype = Object.getPrototypeOf(value) as object | null;
  return prototype === null || Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype, 'isPrototypeOf');
}

function bad(what: string, why: string, owner: Owner): HubError {
  return new HubError('HUB_BAD_VALUE', `${what} ${why}`, owner);
}
