/** On what it was measured: processors, system, browser. */
import { execFileSync } from 'node:child_process';
import { cpus, loadavg, platform, release, totalmem } from 'node:os';

const PROGRAMS = { chromium: 'chromium', firefox: 'firefox-esr' };
const GB = 1_000_000_000;

export function machine(engine) {
  const [{ model }] = cpus();
  return {
    processor: `${cpus().length} × ${model.trim()}`,
    memory_gb: Math.round(totalmem() / GB),
    system: `${platform()} ${release()}`,
    node: process.version,
    browser: execFileSync(PROGRAMS[engine], ['--version'], { encoding: 'utf8', timeout: 30_000, stdio: ['ignore', 'pipe', 'ignore'] }).trim(),
    load: loadavg().map((load) => Number(load.toFixed(1))),
  };
}
