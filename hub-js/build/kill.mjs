/**
 * `npm run kill [-- --rounds N] [--engine chromium|firefox|webkit] [--what browser|hub] [--seed N]`: builds, then kills the browser, or only the
 * hub's process, again and again while four tabs write, and looks for what was acknowledged. `npm test` does the same for a few rounds.
 */
import { parseArgs } from 'node:util';
import { build } from './build.mjs';
import { setup } from './setup.mjs';
import { BuildError, MINUTE, run, runAsScript } from './tools.mjs';

const TESTS = { browser: 'tests/e2e/kill.test.mjs', hub: 'tests/e2e/hub-killed.test.mjs' };
const ENGINES = ['chromium', 'firefox', 'webkit'];
const OPTIONS = { rounds: { type: 'string', default: '50' }, engine: { type: 'string' }, what: { type: 'string' }, seed: { type: 'string' } };

runAsScript(import.meta.url, async (args) => {
  const { values } = parseArgs({ args, options: OPTIONS });
  const { rounds, engine, what, seed } = checked(values);
  await setup({ tests: true });
  await build();
  const env = { ...process.env, KILL_ROUNDS: rounds, ...(engine && { TABHUB_BROWSER: engine }), ...(seed && { KILL_SEED: seed }) };
  const files = what ? [TESTS[what]] : Object.values(TESTS);
  const deadline = (5 + 2 * Number(rounds)) * MINUTE * files.length * (engine ? 1 : ENGINES.length);
  await run(['node', '--test', '--test-concurrency=1', '--test-reporter=spec', ...files], { env, deadline });
});

function checked(values) {
  for (const name of ['rounds', 'seed']) {
    if (values[name] !== undefined && !/^[0-9]{1,10}$/.test(values[name])) throw new BuildError(`--${name} ${values[name]}: it must be a whole number`);
  }
  if (Number(values.rounds) < 1) throw new BuildError('--rounds 0: there is nothing to do');
  refuseOther('engine', values.engine, ENGINES);
  refuseOther('what', values.what, Object.keys(TESTS));
  return values;
}

function refuseOther(name, value, known) {
  if (value !== undefined && !known.includes(value)) throw new BuildError(`--${name} ${value}: choose one of ${known.join(', ')}`);
}
