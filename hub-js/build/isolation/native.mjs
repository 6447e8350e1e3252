/** Warm scans through the VFS against SQLite's own database in memory, in one process: compiled to WebAssembly and run in Node, and natively. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ratios, show, spread, table } from './report.mjs';
import { wasmBindgen } from '../setup.mjs';
import { MINUTE, ROOT, run, wasmEnv } from '../tools.mjs';
import { WASM_OPT } from '../wasm.mjs';

const EXAMPLE = ['--release', '--example', 'scan'];
const TARGET = 'wasm32-unknown-unknown';

export async function measure() {
  const figures = [...summed('wasm', await inWasm()), ...summed('native', await natively())];
  const rows = figures.map(({ on, query, vfs_ms, memory_ms, speed }) => [on, query, show(vfs_ms), show(memory_ms), show(speed)]);
  table('Warm, through the VFS against `:memory:`: median of 9 (least–most)', ['', '', 'VFS, ms', ':memory:, ms', 'speed, × :memory:'], rows);
  return figures;
}

async function inWasm() {
  await run(['cargo', 'build', ...EXAMPLE, '--target', TARGET], { deadline: 20 * MINUTE, env: wasmEnv() });
  const { target_directory } = JSON.parse(await run(['cargo', 'metadata', '--format-version', '1', '--no-deps'], { capture: true }));
  const folder = join(target_directory, 'scan');
  mkdirSync(folder, { recursive: true });
  // Inside of this package Node would take the glue for a module.
  writeFileSync(join(folder, 'package.json'), '{"type":"commonjs"}');
  await run([wasmBindgen(), '--target', 'nodejs', '--out-dir', folder, join(target_directory, TARGET, 'release', 'examples', 'scan.wasm')]);
  // Optimized as hub.wasm is.
  const wasm = join(folder, 'scan_bg.wasm');
  await run([join(ROOT, 'node_modules/binaryen/bin/wasm-opt'), ...WASM_OPT, wasm, '-o', wasm]);
  return run(['node', join(folder, 'scan.js')], { capture: true });
}

const natively = () => run(['cargo', 'run', ...EXAMPLE], { capture: true, deadline: 20 * MINUTE });

function summed(on, output) {
  return output.trim().split('\n').map((line) => {
    const { query, vfs_ms, memory_ms, load_ms, blocks } = JSON.parse(line);
    return { on, query, vfs_ms: spread(vfs_ms), memory_ms: spread(memory_ms), speed: ratios(memory_ms, vfs_ms), load_ms: spread(load_ms), blocks };
  });
}
