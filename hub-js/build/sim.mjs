/**
 * `npm run sim [-- --seeds 20000] [--from 0] [--forever]`: the deterministic simulation (tests/sim) over many seeds, optimized.
 * SQLite's random numbers are one stream for each process, so the seeds are split over processes, not threads. `npm test` runs a few.
 */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { BuildError, MINUTE, OPTIMIZED, duration, run, runAsScript } from './tools.mjs';

/** Seeds that one process runs before it reports; small enough that a failure shows early. */
const CHUNK = 500;

async function compile() {
  const command = ['cargo', 'test', ...OPTIMIZED, '--test', 'sim', '--no-run', '--message-format=json-render-diagnostics'];
  const output = await run(command, { deadline: 15 * MINUTE, capture: true });
  const built = output.split('\n').filter(Boolean).map((line) => JSON.parse(line)).find((message) => message.executable && message.target?.name === 'sim');
  if (!built) throw new BuildError('cargo named no executable for the test `sim`');
  return built.executable;
}

async function runSeeds(program, from, to) {
  const env = { ...process.env, SIM_SEEDS: `${from}..${to}` };
  const output = await run([program, '--exact', 'whatever_fails_every_promise_is_kept', '--nocapture'], { env, deadline: 30 * MINUTE, capture: true })
    .catch((error) => { throw new BuildError(`seeds ${from} to ${to - 1} fail: ${error.message}`) });
  const line = output.split('\n').find((text) => text.startsWith('SIM '));
  if (!line) throw new BuildError(`seeds ${from} to ${to - 1} reported nothing:\n${output}`);
  return JSON.parse(line.slice(4));
}

/** As many processes as cores, each taking the next chunk, until the seeds are used up or one fails. */
export async function simulate({ from = 0, seeds = 2000, forever = false } = {}) {
  const program = await compile();
  const begun = Date.now();
  const end = forever ? Infinity : from + seeds;
  const chunk = Math.min(CHUNK, Math.ceil(seeds / availableParallelism()));
  const totals = {};
  let next = from;
  let done = 0;
  const work = async () => {
    while (next < end) {
      const first = next;
      next = Math.min(first + chunk, end);
      const last = next;
      const tally = await runSeeds(program, first, last).catch((error) => { next = end; throw error });
      done += last - first;
      for (const [what, n] of Object.entries(tally)) totals[what] = (totals[what] ?? 0) + n;
      if (forever) report(totals, done, begun);
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, work));
  report(totals, done, begun);
}

function report(totals, seeds, begun) {
  const ms = Date.now() - begun;
  const rate = Math.round((seeds * 1000) / ms);
  console.log(`${seeds} seeds, each run twice, in ${duration(ms)}: ${rate} seeds/s`);
  console.log(Object.entries(totals).map(([what, n]) => `${what} ${n}`).join(' · '));
}

runAsScript(import.meta.url, async (args) => {
  const options = { seeds: { type: 'string', default: '20000' }, from: { type: 'string', default: '0' }, forever: { type: 'boolean', default: false } };
  const { values } = parseArgs({ args, options });
  const number = (name) => {
    const n = Number(values[name]);
    if (!Number.isSafeInteger(n) || n < 0) throw new BuildError(`--${name} ${values[name]}: a whole number from 0 on is expected`);
    return n;
  };
  await simulate({ from: number('from'), seeds: number('seeds'), forever: values.forever });
});
