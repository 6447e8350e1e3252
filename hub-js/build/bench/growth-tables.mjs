/** How tabhub's cost grows, as Markdown: a table for each series, a line for each of its points, every figure of its one round with its ratio to the first point's. */
import { short } from '../isolation/report.mjs';
import { TABHUB } from './goals.mjs';
import { table } from './markdown-table.mjs';

export function growth(figures, results) {
  const series = [...new Set(figures.map(({ series }) => series))];
  return series.map((name) => oneSeries(name, figures.filter(({ series }) => series === name), results));
}

function oneSeries(name, figures, results) {
  const valuesOf = ({ id }) => results.values[id]?.[TABHUB]?.[0];
  const points = [...new Set(figures.filter(valuesOf).map(({ point }) => point))];
  const of = (point) => figures.filter((figure) => figure.point === point);
  if (points.length === 0) return undefined;
  const head = [name, ...of(points[0]).flatMap(({ title, unit }) => [`${title}, ${unit}`, '× first'])];
  const rows = points.map((point) => [point.toLocaleString('en'), ...of(point).flatMap((figure, at) => {
    const [own, first] = [valuesOf(figure), valuesOf(of(points[0])[at])];
    return [short(own), (own / first).toFixed(2)];
  })]);
  return table(head, rows);
}
