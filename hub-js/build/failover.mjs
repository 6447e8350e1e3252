/**
 * `npm run failover [-- --rounds N] [--churn SECONDS] [--engine chromium|firefox|webkit] [--mode shared|leader] [--what name,name] [--seed N]`:
 * builds, then plays everything that can befall a hub again and again, also what takes too long for `npm test`, and prints how long the tabs
 * waited. `npm test` does the same once. The names are the ids in tests/e2e/scenarios.mjs.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { SCENARIOS } from '../../tests/e2e/scenarios.mjs';
import { quantile } from '../../tests/e2e/waits.mjs';
import { build } from './build.mjs';
import { setup } from './setup.mjs';
import { BuildError, MINUTE, run, runAsScript } from './tools.mjs';

const ENGINES = ['chromium', 'firefox', 'webkit'];
const MODES = ['shared', 'leader'];
const WHAT = SCENARIOS.map(({ id }) => id);
const OPTIONS = {
  rounds: { type: 'string', default: '5' },
  churn: { type: 'string', default: '60' },
  engine: { type: 'string' },
  mode: { type: 'string' },
  what: { type: 'string' },
  seed: { type: 'string' },
};

runAsScript(import.meta.url, async (args) => {
  const { rounds, churn, engine, mode, what, seed } = checked(parseArgs({ args, options: OPTIONS }).values);
  await setup({ tests: true });
  await build();
  const folder = mkdtempSync(join(tmpdir(), 'tabhub-failover-'));
  const file = join(folder, 'figures');
  writeFileSync(file, '');
  const env = { ...process.env, FAILOVER_FILE: file, FAILOVER_ROUNDS: rounds, CHURN_SECONDS: churn, FAILOVER_NAMES: what ?? WHAT.join(',') };
  Object.assign(env, engine && { TABHUB_BROWSER: engine }, mode && { FAILOVER_MODES: mode }, seed && { KILL_SEED: seed });
  const deadline = Number(rounds) * (10 + Number(churn) / 60) * MINUTE * (engine ? 1 : ENGINES.length) * (mode ? 1 : MODES.length);
  try {
    await run(['node', '--test', '--test-concurrency=1', '--test-reporter=spec', 'tests/e2e/failover.test.mjs'], { env, deadline });
  } finally {
    printTable(readFileSync(file, 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line)));
    rmSync(folder, { recursive: true });
  }
});

function checked(values) {
  for (const name of ['rounds', 'churn', 'seed']) {
    if (values[name] !== undefined && !/^[0-9]{1,10}$/.test(values[name])) throw new BuildError(`--${name} ${values[name]}: it must be a whole number`);
  }
  if (Number(values.rounds) < 1) throw new BuildError('--rounds 0: there is nothing to do');
  refuseOthers('engine', values.engine, ENGINES);
  refuseOthers('mode', values.mode, MODES);
  refuseOthers('what', values.what, WHAT);
  return values;
}

function refuseOthers(name, value, known) {
  for (const each of value?.split(',') ?? []) if (!known.includes(each)) throw new BuildError(`--${name} ${each}: choose of ${known.join(', ')}`);
}

/** One line for each engine, mode and scenario. What a tab waited in one round is the longest of its waits around it, in ms. */
function printTable(played) {
  console.log(`\n${row('engine', 'mode', 'what', 'rounds', 'acks', 'lost', 'failovers', 'median', 'p99', 'longest')}`);
  for (const name of new Set(played.map(nameOf))) {
    const rounds = played.filter((figures) => nameOf(figures) === name);
    const sum = (key) => rounds.reduce((sum, figures) => sum + figures[key], 0);
    const waits = rounds.flatMap(({ longest }) => longest);
    const at = (share) => Math.round(quantile(waits, share) ?? 0);
    console.log(name + row(rounds.length, sum('acks'), sum('lost'), sum('failovers'), at(0.5), at(0.99), at(1)));
  }
}

const nameOf = ({ engine, mode, id }) => row(engine, mode, id);

function row(...cells) {
  return cells.map((cell) => String(cell).padEnd(10)).join('');
}
