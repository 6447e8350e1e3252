/** Workload H: a tab commits, another one is told and reads the row; over BroadcastChannel it answers that it has. */
import { median, textOf } from './common.js';

export const COMMITS = { warmup: 10, commits: 60, pings: 60, pause_ms: 5, enough_ms: 5_000 };

const CHANNEL = 'seen';
const BYTES = 100;
/** Longer than any peer may take to tell, also one that asks again and again. */
const SEEN_MS = 10_000;

export const create = (table) => table.create();

/** The second tab's part: whenever it is told, it reads the row that comes next. Answers whether the peer can tell at all. */
export async function watch(table) {
  if (!table.watch) return false;
  const channel = new BroadcastChannel(CHANNEL);
  let next = 1;
  await table.watch(async () => {
    const wanted = next;
    if (!(await table.get(wanted)) || wanted !== next) return;
    next++;
    channel.postMessage({ seen: wanted });
  });
  channel.onmessage = ({ data: { ping } }) => ping && channel.postMessage({ pong: ping });
  return true;
}

/** The median in ms from the call that commits to the row's reading in the other tab: the answer's own way back is taken off. */
export async function commitsSeen(table, { warmup, commits, pings, pause_ms, enough_ms } = COMMITS) {
  const channel = new BroadcastChannel(CHANNEL);
  const ask = (send, isAnswer) => answered(channel, send, isAnswer);
  const trips = [];
  const times = [];
  for (let n = 1; n <= pings; n++) {
    trips.push(await ask(() => channel.postMessage({ ping: n }), ({ pong }) => pong === n));
  }
  const begun = performance.now();
  for (let n = 1; n <= warmup + commits && (times.length === 0 || performance.now() - begun < enough_ms); n++) {
    const ms = await ask(() => table.insert({ id: n, body: textOf(n, BYTES) }), ({ seen }) => seen === n, `commit ${n}`);
    if (n > warmup) times.push(ms);
    await new Promise((resolve) => setTimeout(resolve, pause_ms));
  }
  channel.close();
  return median(times) - median(trips) / 2;
}

/** How long it takes from `send` to the message that `isAnswer`. */
async function answered(channel, send, isAnswer, what = 'a ping') {
  const begun = performance.now();
  let timer;
  const answer = new Promise((resolve, reject) => {
    channel.onmessage = ({ data }) => isAnswer(data) && resolve(performance.now() - begun);
    timer = setTimeout(() => reject(new Error(`${what} was not seen by the other tab in ${SEEN_MS} ms`)), SEEN_MS);
  });
  await send();
  return answer.finally(() => clearTimeout(timer));
}
