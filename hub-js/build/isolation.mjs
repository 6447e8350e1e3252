/**
 * `npm run isolation [-- --engine chromium|firefox] [--only stalls,cold,…] [--rounds N] [--large-mb MB] [--built] [--json FILE]`: builds (or takes
 * dist/ as it is: `--built`), then prints how little tabs and large databases disturb one another: stalls beside a long query, cold opening, memory,
 * scans, and what suspending statements costs. Figures for people; nothing fails by them. `examples/BENCHMARK.md` says what they mean.
 */
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { build } from './build.mjs';
import { setup } from './setup.mjs';
import { BuildError, runAsScript } from './tools.mjs';

/** Each prints its table and answers its figures. */
const PARTS = ['stalls', 'cold', 'memory', 'scans', 'native', 'points', 'caches', 'slices', 'modes'];
const ENGINES = ['chromium', 'firefox'];
const OPTIONS = {
  engine: { type: 'string', default: 'chromium' },
  only: { type: 'string', default: PARTS.join(',') },
  rounds: { type: 'string', default: '5' },
  'large-mb': { type: 'string', default: '1000' },
  built: { type: 'boolean', default: false },
  json: { type: 'string' },
};

runAsScript(import.meta.url, async (args) => {
  const { engine, parts, rounds, large_mb, built, json } = checked(parseArgs({ args, options: OPTIONS }).values);
  if (!built) {
    await setup({ tests: true });
    await build();
  }
  // What drives the browser needs npm packages, which the set-up installs.
  const { withWorld } = await import('../../tests/e2e/world.mjs');
  const { Stage } = await import('./isolation/stage.mjs');
  await withWorld(null, async (world) => {
    const stage = new Stage(world, { rounds, large_mb });
    const figures = { engine: await stage.engine(), cores: cpus().length, rounds, large_mb };
    console.log(JSON.stringify(figures));
    for (const part of parts) {
      const { measure } = await import(`./isolation/${part}.mjs`);
      figures[part] = await measure(stage);
      if (json) writeFileSync(json, `${JSON.stringify(figures, null, 1)}\n`);
    }
  }, { engine });
});

function checked({ engine, only, rounds, 'large-mb': large_mb, built, json }) {
  const parts = only.split(',');
  for (const part of parts) refuseOther('only', part, PARTS);
  refuseOther('engine', engine, ENGINES);
  for (const [name, value] of Object.entries({ rounds, 'large-mb': large_mb })) {
    if (!/^[1-9][0-9]{0,3}$/.test(value)) throw new BuildError(`--${name} ${value}: it must be a whole number from 1 to 9999`);
  }
  return { engine, parts, rounds: Number(rounds), large_mb: Number(large_mb), built, json };
}

function refuseOther(name, value, known) {
  if (!known.includes(value)) throw new BuildError(`--${name} ${value}: choose of ${known.join(', ')}`);
}
