// Draws figures as bars: for each, one bar a peer, the fastest as long as its row. It decides nothing and measures nothing.

import { el } from '/examples/page.js';
import { median } from './workloads/common.js';

/** `figures`: title → `{ unit, values: Map(peer → numbers) }`. Of `ms` less is faster. */
export function show(target, figures, peers) {
  target.replaceChildren(...[...figures].map(([title, figure]) => group(title, figure, peers)));
}

function group(title, { unit, values }, peers) {
  const measured = peers.filter((peer) => values.get(peer).length > 0);
  const speedOf = (peer) => (unit === 'ms' ? 1 / median(values.get(peer)) : median(values.get(peer)));
  const fastest = Math.max(...measured.map(speedOf));
  const figure = el('figure', { className: 'bar-group' }, el('figcaption', {}, title));
  for (const peer of measured) {
    const bar = el('div', { className: peer === peers[0] ? 'bar ours' : 'bar' });
    bar.style.width = `${Math.max(1, (speedOf(peer) / fastest) * 100)}%`;
    const value = el('span', { className: 'bar-value number' }, text(values.get(peer), unit));
    figure.append(el('div', { className: 'bar-row' }, el('span', { className: 'muted' }, peer), el('div', { className: 'bar-track' }, bar), value));
  }
  return figure;
}

function text(values, unit) {
  const least = Math.min(...values);
  const most = Math.max(...values);
  const spread = values.length > 1 ? ` (${short(least)}–${short(most)})` : '';
  return `${short(median(values))} ${unit}${spread}`;
}

const short = (value) => (value >= 100 ? Math.round(value).toLocaleString('en') : String(Number(value.toPrecision(3))));
