// Waiting with an end. Everything in the browser tests that waits goes through here, so that a hang becomes an error
// which says what was awaited. It never retries an action, only observations.
import { inspect } from 'node:util';

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** The promise's value, or an error naming `what` after `ms`. */
export async function within(ms, what, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: nothing after ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Asks `probe` until it answers something truthy. The last answer stands in the error, because it tells what was wrong. */
export async function until(ms, what, probe, every = 20) {
  const end = performance.now() + ms;
  for (;;) {
    const answer = await within(Math.max(1, end - performance.now()), what, probe());
    if (answer) return answer;
    if (performance.now() >= end) throw new Error(`${what}: still ${inspect(answer)} after ${ms} ms`);
    await sleep(every);
  }
}
