/**
 * `npm run bench [-- --engine chromium|firefox] [--only A,B,…] [--peers id,id] [--rounds N] [--large] [--built] [--json FILE]`: builds (or takes dist/ as it is:
 * `--built`), installs the peers, and measures tabhub beside them, each behind an adapter of its own with its results asserted. All workloads and peers
 * write examples/benchmark/results.md, .svg and .json; a part of them writes into examples/benchmark/dist/. Figures for people; nothing fails by them.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { build } from './build.mjs';
import { setup } from './setup.mjs';
import { BuildError, duration, ROOT, runAsScript } from './tools.mjs';

const ENGINES = ['chromium', 'firefox'];
const OPTIONS = {
  engine: { type: 'string', default: 'chromium' },
  only: { type: 'string' },
  peers: { type: 'string' },
  rounds: { type: 'string', default: '3' },
  large: { type: 'boolean', default: false },
  built: { type: 'boolean', default: false },
  json: { type: 'string' },
};

runAsScript(import.meta.url, async (args) => {
  const begun = Date.now();
  const { values } = parseArgs({ args, options: OPTIONS });
  refuseOthers('engine', values.engine, ENGINES);
  if (!/^[1-9][0-9]?$/.test(values.rounds)) throw new BuildError(`--rounds ${values.rounds}: it must be a whole number from 1 to 99`);
  await setup({ tests: true });
  // What bundles, and what drives the browser, needs npm packages, which the set-up installs.
  const { bundlePeers, peerIds } = await import('./bench/bundle.mjs');
  const { WORKLOADS } = await import('./bench/scenarios/index.mjs');
  const workloads = chosen('only', values.only, WORKLOADS);
  const ids = chosen('peers', values.peers, byRank(peerIds()));
  if (!values.built) await build();
  const { installPeers } = await import('./bench/install.mjs');
  await installPeers();
  await bundlePeers();
  const measured = await measure({ engine: values.engine, rounds: Number(values.rounds), large: values.large, workloads, ids });
  const isWhole = values.only === undefined && values.peers === undefined;
  await report(measured, { engine: values.engine, isWhole, json: values.json });
  console.log(`✓ ${duration(Date.now() - begun)}`);
});

function refuseOthers(name, value, known) {
  for (const each of value.split(',')) if (!known.includes(each)) throw new BuildError(`--${name} ${each}: choose of ${known.join(', ')}`);
}

function chosen(name, value, known) {
  if (value === undefined) return known;
  refuseOthers(name, value, known);
  const wanted = value.split(',');
  return known.filter((each) => wanted.includes(each));
}

/** tabhub and the plainest peers first: what is looked at while it runs. */
function byRank(ids) {
  const first = ['tabhub', 'raw-indexeddb', 'dexie'];
  return [...first.filter((id) => ids.includes(id)), ...ids.filter((id) => !first.includes(id))];
}

async function measure({ engine, rounds, large, workloads, ids }) {
  const { SCENARIOS, FIGURES } = await import('./bench/scenarios/index.mjs');
  const { describe, play } = await import('./bench/play.mjs');
  const { machine } = await import('./bench/machine.mjs');
  const on = machine(engine);
  console.log(Object.values(on).join(' · '));
  const peers = await describe(engine, ids);
  const scenarios = SCENARIOS.filter((scenario) => scenario.workloads.some((workload) => workloads.includes(workload)));
  const results = await play(scenarios, peers, { engine, rounds, large });
  const figures = FIGURES.filter(({ workload }) => workloads.includes(workload));
  const { judge } = await import('./bench/judge.mjs');
  return { machine: on, rounds, date: new Date().toISOString().slice(0, 10), workloads, figures, peers, results, scenarios, goals: judge(figures, results, peers) };
}

async function report(measured, { engine, isWhole, json }) {
  const { markdown } = await import('./bench/markdown.mjs');
  const { plot } = await import('./bench/plot.mjs');
  const { BENCH, BENCH_DIST } = await import('./bench/bundle.mjs');
  const { scenarios: _, ...data } = measured;
  const text = markdown(measured);
  const name = engine === 'chromium' ? 'results' : `results-${engine}`;
  const base = join(isWhole ? BENCH : BENCH_DIST, name);
  console.log(`\n${text}`);
  writeFileSync(`${base}.md`, text);
  writeFileSync(`${base}.svg`, plot(measured));
  for (const file of [`${base}.json`, json]) if (file) writeFileSync(file, `${JSON.stringify(data, null, 1)}\n`);
  console.log(`→ ${base.slice(ROOT.length)}.md, .svg, .json`);
}
