/**
 * Shortens what wasm-bindgen wrote: a name in each of the two files for every function that passes between them, with a random number in it
 * that does not compress, and functions for imports that the module no longer has. Called by wasm.mjs, after the optimizer.
 * It changes names and nothing else. Each of the two files fits only the other: the numbers had seen to that, and now the name of the
 * module that the imports come from does.
 */
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { BuildError } from './tools.mjs';

/** What hub-js/fibers.ts and src/web/stack-switch.wat call by name. */
const KEPT = new Set(['memory', '__stack_pointer', '__indirect_function_table', 'run_fiber', 'alloc_stack_copy', 'free_stack_copy']);
const MODULE_CHARS = 6;
const IMPORT = 2;
const EXPORT = 7;
const HEADER_BYTES = 8;

export function shortenNames(wasmFile, glueFile) {
  const wasm = readFileSync(wasmFile);
  const module = new WebAssembly.Module(wasm);
  const imports = WebAssembly.Module.imports(module);
  const [from, ...others] = new Set(imports.map((entry) => entry.module));
  if (others.length > 0) throw new BuildError(`${wasmFile} imports from ${others.join(' and ')} too, which the glue does not know`);
  const names = new Set([...imports, ...WebAssembly.Module.exports(module)].map(({ name }) => name).filter((name) => !KEPT.has(name)));
  const short = new Map([...names].map((name, at) => [name, String(at)]));
  const fit = createHash('sha256').update([...names].join(' ')).digest('base64url').slice(0, MODULE_CHARS);
  const imported = new Set(imports.map(({ name }) => name));
  writeFileSync(glueFile, renamedGlue(withoutUnused(readFileSync(glueFile, 'utf8'), imported), short, from, fit));
  writeFileSync(wasmFile, renamedWasm(wasm, new Map([...short, [from, fit]])));
}

/** Each import is a property, from a line with its name to the line before the next one's. */
function withoutUnused(glue, imported) {
  const property = /^ {8}(__wb\w+): function\([\s\S]*?^ {8}\}.*,\n/gm;
  const found = new Set();
  const kept = glue.replace(property, (text, name) => {
    found.add(name);
    return imported.has(name) ? text : '';
  });
  const missing = [...imported].filter((name) => !found.has(name));
  if (missing.length > 0) throw new BuildError(`wasm-bindgen writes its glue in another form than this script knows: ${missing.join(', ')} not found`);
  return kept;
}

/** Names of imports stand before a colon, those of exports after `wasm.`. */
function renamedGlue(glue, short, from, fit) {
  return glue
    .replace(/^( {8})(__wb\w+)(?=: function)/gm, (text, indent, name) => (short.has(name) ? `${indent}${short.get(name)}` : text))
    .replace(/\bwasm\.(\w+)/g, (text, name) => (short.has(name) ? `wasm[${short.get(name)}]` : text))
    .replace(`"${from}": import0`, `'${fit}': import0`);
}

function renamedWasm(wasm, short) {
  const sections = [wasm.subarray(0, HEADER_BYTES)];
  const reader = new Reader(wasm, HEADER_BYTES);
  while (!reader.isAtEnd) {
    const id = reader.byte();
    const content = reader.slice(reader.number());
    sections.push(section(id, id === IMPORT ? renamedImports(content, short) : id === EXPORT ? renamedExports(content, short) : content));
  }
  return Buffer.concat(sections);
}

/** All of them are functions: module, name, kind, type. */
function renamedImports(content, short) {
  return renamedEntries(content, (reader) => [name(reader.text(), short), name(reader.text(), short), Buffer.of(reader.byte()), number(reader.number())]);
}

/** Name, kind, index. */
function renamedExports(content, short) {
  return renamedEntries(content, (reader) => [name(reader.text(), short), Buffer.of(reader.byte()), number(reader.number())]);
}

function renamedEntries(content, rename) {
  const reader = new Reader(content, 0);
  const parts = [number(reader.number())];
  while (!reader.isAtEnd) parts.push(...rename(reader));
  return Buffer.concat(parts);
}

const section = (id, content) => Buffer.concat([Buffer.of(id), number(content.length), content]);

function name(text, short) {
  const bytes = Buffer.from(short.get(text) ?? text);
  return Buffer.concat([number(bytes.length), bytes]);
}

/** LEB128, as all numbers of the format. */
function number(value) {
  const bytes = [];
  for (; value > 0x7f; value >>>= 7) bytes.push((value & 0x7f) | 0x80);
  return Buffer.from([...bytes, value]);
}

class Reader {
  #bytes;
  #at;

  constructor(bytes, at) {
    this.#bytes = bytes;
    this.#at = at;
  }

  get isAtEnd() {
    return this.#at >= this.#bytes.length;
  }

  byte() {
    return this.#bytes[this.#at++];
  }

  number() {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.byte();
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
  }

  slice(bytes) {
    return this.#bytes.subarray(this.#at, (this.#at += bytes));
  }

  text() {
    return this.slice(this.number()).toString();
  }
}
