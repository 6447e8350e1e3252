/** Sums figures up: medians, ratios round by round, and what became of each goal. It prints nothing. */
import { spread } from '../isolation/report.mjs';
import { GOALS, GROUPS, TABHUB } from './goals.mjs';

/** Round by round, of those that both have. */
export function ratios(ones, others) {
  const paired = Object.keys(ones).filter((round) => others[round] !== undefined);
  return paired.length > 0 ? spread(paired.map((round) => ones[round] / others[round])) : undefined;
}

const spreadOf = (values) => spread(Object.values(values));

/** Of one figure: its peers with their median, least and most, and their ratio to tabhub's and to the best one's, the best first. */
export function rank(figure, results, peers) {
  const values = results.values[figure.id] ?? {};
  const rows = peers.filter(({ id }) => values[id]).map((peer) => ({ peer, values: values[peer.id], ...spreadOf(values[peer.id]) }));
  rows.sort((a, b) => (figure.better === 'less' ? a.median - b.median : b.median - a.median));
  const own = values[TABHUB];
  for (const row of rows) {
    row.to_tabhub = own && ratios(row.values, own);
    row.to_best = ratios(row.values, rows[0].values);
  }
  return rows;
}

/** `{ goal, figure, text, speed | value, isMet }` of each goal whose figures are there; `missing` says why there is none. */
export function judge(figures, results, peers) {
  return GOALS.filter(({ figure }) => figures.some(({ id }) => id === figure)).map((goal) => {
    const figure = figures.find(({ id }) => id === goal.figure);
    const own = results.values[figure.id]?.[TABHUB];
    if (!own) return { goal, figure, missing: 'tabhub was not measured' };
    if (goal.speed_min === undefined) return judgeValue(goal, figure, own);
    return judgeSpeed(goal, figure, own, rival(goal, figure, results, peers));
  });
}

function judgeValue(goal, figure, own) {
  const value = spreadOf(own);
  const { value_min, value_max, every_max } = goal;
  if (value_min !== undefined) return { goal, figure, value, text: `≥ ${value_min} ${figure.unit}`, isMet: value.median >= value_min };
  if (every_max !== undefined) return { goal, figure, value, text: `≤ ${every_max} ${figure.unit} in every round`, isMet: value.max <= every_max };
  return { goal, figure, value, text: `≤ ${value_max} ${figure.unit}`, isMet: value.median <= value_max };
}

function judgeSpeed(goal, figure, own, other) {
  const text = `≥ ${Number(goal.speed_min.toFixed(2))} × the speed of ${goal.against ?? other?.name}${goal.durable ? ', durable' : ''}`;
  if (!other) return { goal, figure, text, missing: 'nobody to hold it against was measured' };
  const speed = figure.better === 'less' ? ratios(other.values, own) : ratios(own, other.values);
  if (!speed) return { goal, figure, text, missing: `${other.name} has no round with tabhub` };
  return { goal, figure, text, speed, rival: other.name, isMet: speed.median >= goal.speed_min };
}

/** The best of the group, by its median; or tabhub's own other figure. */
function rival({ of, against, durable }, figure, results, peers) {
  if (of) return results.values[of]?.[TABHUB] && { name: of, values: results.values[of][TABHUB] };
  const isRival = (peer) => peer.id !== TABHUB && !peer.message && GROUPS[against](peer) && (!durable || keepsAcks(peer, durable, results));
  const [best] = rank(figure, results, peers.filter(isRival));
  return best && { name: best.peer.name, values: best.values };
}

/** A peer that does not offer it, or lost an acknowledged row when the browser was killed, has not stored what it acknowledges. */
function keepsAcks(peer, durability, results) {
  if (peer.ack[durability] === null) return false;
  const lost = results.values[`K.${durability}`]?.[peer.id];
  return lost === undefined || Object.values(lost).every((rows) => rows === 0);
}
