/** The report as Markdown: who took part, each workload's table, the goals, what failed. It computes nothing that judge.mjs does not. */
import { short, show } from '../isolation/report.mjs';
import { growth } from './growth-tables.mjs';
import { versionOf } from './install.mjs';
import { rank } from './judge.mjs';
import { escaped, table } from './markdown-table.mjs';
import { SLOW_RUN_MS } from './play.mjs';

const SECOND = 1_000;

const HEAD = {
  "A": 'the table: each step durable before its clock stops',
  "B": 'durable transactions of one row, one tab, one after another',
  "B'": 'the same, 500 in flight at once; fewer where 50 take more than half a second',
  "C": 'durable transactions of one row from four tabs at once, the exact count asserted in a fifth',
  "D": '100,000 rows in one durable transaction',
  "E": 'point reads by key, 10,000 rows of 100 B',
  "F": 'reading many rows',
  "G": 'cold open of 100 MB in a browser that has just started',
  "H": 'a commit in one tab is read in another; raw IndexedDB tells of it over BroadcastChannel after the ack, tabhub by onChange',
  "I": 'point reads in one tab beside a query of 3 s in another',
  "J": 'download',
  "K": 'the browser is killed (SIGKILL) after the last ack; a table that cannot be read any more has lost all rows',
  "L": 'cost against growth, tabhub alone',
};

export function markdown({ machine, rounds, date, workloads, figures, peers, results, goals, scenarios }) {
  const parts = [
    '# Results of `npm run bench`',
    `Written by \`npm run bench\` on ${date}; [BENCHMARK.md](../BENCHMARK.md) says how to read it.`,
    `${machine.browser}, headless, on ${machine.processor}, ${machine.memory_gb} GB, ${machine.system}; load before the run ${machine.load.join(', ')}; Node ${machine.node}. `
      + `${rounds} round${rounds === 1 ? '' : 's'} by turns, backwards every other one; each run on an origin of its own; a peer whose run takes more than ${SLOW_RUN_MS / SECOND} s has one round there. A figure is the median of the rounds (least–most); a ratio is taken round by round.`,
    '![the figures as bars](results.svg)',
    ...(goals.length > 0 ? ['## Goals', goalTable(goals)] : []),
    '## Peers', peerTable(peers),
    ...workloads.flatMap((workload) => [`## ${workload}: ${HEAD[workload]}`, tablesOf(workload, figures, results, peers, scenarios)]),
  ];
  return `${parts.filter(Boolean).join('\n\n')}\n`;
}

function goalTable(goals) {
  const rows = goals.map(({ figure, text, speed, value, rival, missing, isMet }) => {
    const measured = missing ?? (speed ? `${shown(speed)} × ${rival}` : `${shown(value)} ${figure.unit}`);
    return [figure.workload, figure.title, text ?? '', measured, missing ? '–' : isMet ? 'met' : '**missed**'];
  });
  return table(['', 'figure', 'goal', 'measured', ''], rows);
}

function peerTable(peers) {
  const rows = peers.filter(({ message }) => !message).map((peer) => [
    peer.name,
    peer.package ? `\`${peer.package}\` ${versionOf(peer.package)}` : '',
    peer.engine,
    peer.storage === 'opfs' ? 'OPFS' : 'IndexedDB',
    peer.tabs ? 'many' : 'one',
    peer.isolated ? 'COOP, COEP' : '',
    peer.ack.strict ?? '– (measured relaxed)',
    peer.ack.relaxed ?? '–',
  ]);
  return table(['', 'package', 'engine', 'storage', 'tabs', 'headers', 'a strict ack means', 'a relaxed ack means'], rows);
}

function tablesOf(workload, figures, results, peers, scenarios) {
  const own = figures.filter((figure) => figure.workload === workload);
  const scenario = scenarios.find(({ workloads }) => workloads.includes(workload));
  const tables = own.some(({ series }) => series) ? growth(own, results) : [better(own), workloadTable(own, results, peers)];
  return [...tables, outsiders(scenario, results, peers)].filter(Boolean).join('\n\n');
}

function workloadTable(figures, results, peers) {
  const columns = figures.map((figure) => columnOf(figure, rank(figure, results, peers)));
  const place = ({ id }) => [...columns[0].rows.keys()].indexOf(id) >>> 0;
  const measured = peers.filter(({ id }) => columns.some(({ rows }) => rows.has(id))).sort((a, b) => place(a) - place(b));
  const head = ['', ...columns.flatMap(({ head }) => head)];
  const rows = measured.map((peer) => [nameOf(peer), ...columns.flatMap((column) => column.cells(column.rows.get(peer.id)))]);
  return table(head, rows);
}

/** Ratios stand where there is somebody to compare with, and nothing is zero. */
function columnOf({ title, unit }, ranked) {
  const rows = new Map(ranked.map((row) => [row.peer.id, row]));
  const head = `${title}, ${unit}`;
  if (ranked.length < 2 || ranked.some(({ min }) => min === 0)) return { rows, head: [head], cells: (row) => [row ? shown(row) : ''] };
  const ratiosOf = ({ to_tabhub, to_best }) => `${ratio(to_tabhub)} · ${ratio(to_best)}`;
  return { rows, head: [head, '× tabhub · × best'], cells: (row) => (row ? [shown(row), ratiosOf(row)] : ['–', '']) };
}

function better(figures) {
  const [first, ...others] = figures;
  if (others.every(({ better }) => better === first.better)) return `${first.better === 'less' ? 'Less' : 'More'} is better.`;
  return `${figures.map(({ title, better }) => `${title}: ${better} is better`).join('; ')}.`;
}

const nameOf = (peer) => (peer.id === 'tabhub' ? '**tabhub**' : peer.ack.strict === null ? `${peer.name} (not durable)` : peer.name);

const shown = (row) => (row.min === row.max ? short(row.median) : show(row));

function ratio(spread) {
  if (!spread) return '–';
  const { median } = spread;
  return median >= 10 ? median.toFixed(0) : median.toFixed(median < 1 ? 2 : 1);
}

function outsiders(scenario, results, peers) {
  const lines = [];
  for (const peer of peers) {
    const failure = results.failures[scenario.id]?.[peer.id];
    const skipped = results.skipped[scenario.id]?.[peer.id];
    if (failure) lines.push(`- **${peer.name} fails**: ${escaped(failure)}`);
    else if (skipped) lines.push(`- ${peer.name}: ${skipped}`);
  }
  return lines.join('\n');
}
