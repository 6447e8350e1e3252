/** The figures as an SVG: for each a panel with a bar for every peer, the best first, on a scale of powers of ten. Readable on light and dark. */
import { short } from '../isolation/report.mjs';
import { rank } from './judge.mjs';

const COLUMNS = 3;
const PANEL = { width: 424, gap: 24, head: 44, bar: 17, name: 178, value: 62 };
const TITLE_HEIGHT = 54;
const NAME_MAX = 27;

const STYLE = `
  text { font: 12px system-ui, sans-serif; fill: #24292f; }
  .title { font-size: 18px; font-weight: 600; } .head { font-weight: 600; } .note, .unit { fill: #57606a; font-size: 11px; }
  .failing { fill: #cf222e; } .grid { stroke: #8c959f; stroke-opacity: .35; }
  .bar { fill: #afb8c1; } .opfs { fill: #8ba7c9; } .own { fill: #0969da; } .own-name { font-weight: 700; }
  .loose { fill-opacity: .25; stroke-width: 1; stroke-dasharray: 3 2; stroke: #6e7781; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; } .note, .unit { fill: #9198a1; } .failing { fill: #ff7b72; } .grid { stroke: #656c76; }
    .bar { fill: #59626e; } .opfs { fill: #4d6a91; } .own { fill: #4493f8; }
  }`;

export function plot({ machine, date, figures, peers, results, scenarios }) {
  const panels = figures.filter(({ isAside }) => !isAside).map((figure) => panel(figure, results, peers, scenarios)).filter(Boolean);
  const columns = Array.from({ length: Math.min(COLUMNS, panels.length) }, () => TITLE_HEIGHT);
  const width = columns.length * (PANEL.width + PANEL.gap) + PANEL.gap;
  const placed = panels.map(({ height, body }) => {
    const at = columns.indexOf(Math.min(...columns));
    const y = columns[at];
    columns[at] += height + PANEL.gap;
    return `<g transform="translate(${PANEL.gap + at * (PANEL.width + PANEL.gap)} ${y})">${body}</g>`;
  });
  const height = Math.max(...columns, TITLE_HEIGHT);
  const note = `${machine.browser}, ${machine.processor}, ${date}. Logarithmic. Grey: IndexedDB, slate: OPFS, dashed: its ack is not durable.`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="Figures of npm run bench">`,
    `<style>${STYLE}\n</style>`,
    text({ x: PANEL.gap, y: 26, class: 'title' }, 'tabhub and its peers'),
    text({ x: PANEL.gap, y: 43, class: 'note' }, note),
    ...placed,
    '</svg>\n',
  ].join('\n');
}

/** Undefined where fewer than two peers have the figure: there is nothing to compare. */
function panel(figure, results, peers, scenarios) {
  const rows = rank(figure, results, peers);
  if (rows.length < 2) return undefined;
  const scenario = scenarios.find(({ figures }) => figures.includes(figure));
  const failing = peers.filter(({ id }) => results.failures[scenario.id]?.[id]);
  const scale = scaleOf(rows);
  const lines = [
    text({ x: 0, y: 12, class: 'head' }, `${figure.workload}  ${figure.title}`),
    text({ x: 0, y: 27, class: 'unit' }, `${figure.unit}, ${figure.better} is better`),
    grid(scale, rows.length),
    ...rows.map((row, at) => bar(row, at, scale)),
    ...failing.map((peer, at) => label(peer, rows.length + at) + text({ x: PANEL.name, y: lineOf(rows.length + at), class: 'failing' }, 'fails')),
  ];
  return { height: PANEL.head + (rows.length + failing.length) * PANEL.bar, body: lines.join('\n') };
}

/** From a power of ten below the least value, so that its bar can be seen, to the largest. */
function scaleOf(rows) {
  const values = rows.map(({ median }) => median).filter((value) => value > 0);
  const low = Math.floor(Math.log10(Math.min(...values)) - 0.15);
  const span = Math.log10(Math.max(...values)) - low;
  const length = PANEL.width - PANEL.name - PANEL.value;
  return { low, span, length, of: (value) => (value > 0 ? (length * (Math.log10(value) - low)) / span : 0) };
}

function grid({ low, span, of }, rows) {
  const lines = [];
  for (let power = low; power <= low + span; power++) {
    const x = round(PANEL.name + of(10 ** power));
    lines.push(`<line class="grid" x1="${x}" x2="${x}" y1="${PANEL.head - 10}" y2="${PANEL.head + rows * PANEL.bar - 8}"/>`);
  }
  return lines.join('');
}

function bar({ peer, median, min, max }, at, scale) {
  const [length, low, high] = [median, min, max].map((value) => round(scale.of(value)));
  const y = PANEL.head + at * PANEL.bar - 8;
  const place = peer.id === 'tabhub' ? 'own' : peer.storage === 'opfs' ? 'opfs' : 'bar';
  const kind = peer.ack.strict === null ? `${place} loose` : place;
  return [
    label(peer, at),
    `<rect class="${kind}" x="${PANEL.name}" y="${y}" width="${length}" height="12" rx="2"><title>${escaped(`${peer.name}: ${short(median)} (${short(min)}–${short(max)})`)}</title></rect>`,
    `<line class="grid" style="stroke-opacity:1" x1="${PANEL.name + low}" x2="${PANEL.name + high}" y1="${y + 6}" y2="${y + 6}"/>`,
    text({ x: round(PANEL.name + Math.max(length, high) + 6), y: lineOf(at) }, short(median)),
  ].join('');
}

function label(peer, at) {
  const name = peer.name.length > NAME_MAX ? `${peer.name.slice(0, NAME_MAX - 1)}…` : peer.name;
  return text({ x: PANEL.name - 8, y: lineOf(at), 'text-anchor': 'end', class: peer.id === 'tabhub' ? 'own-name' : '' }, name);
}

const lineOf = (at) => PANEL.head + at * PANEL.bar + 2;
const round = (value) => Number(value.toFixed(1));
const text = (attributes, content) => `<text ${Object.entries(attributes).filter(([, value]) => value !== '').map(([name, value]) => `${name}="${value}"`).join(' ')}>${escaped(content)}</text>`;
const escaped = (content) => String(content).replaceAll('&', '&amp;').replaceAll('<', '&lt;');
