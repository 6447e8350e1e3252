// What can happen to a hub while four tabs write and read, as data for failover.mjs. Each scenario acts on a scene and returns when it
// is over; that all tabs go on, and that nothing is lost or repeated, is judged there. It never says how long anything may take.
import assert from 'node:assert/strict';
import { sleep } from './deadline.mjs';
import { CHURN_SECONDS, FAILOVER_NAMES } from './rounds.mjs';

const PAUSE_MS = 2_000;
const TABS_MIN = 2;
const TABS_MAX = 6;
const CHURN_PAUSE_MS_MAX = 300;

const build = (number) => ({ workerUrl: `/dist/hub.js?hub=${number}` });

/**
 * `name`: what happens. `act(scene, random)`: lets it happen. `tabs`: the options of the first tabs, four plain ones if absent.
 * `findsProcess`: the hub's process must be known. `isLong`: it takes half a minute. `only`: the engines in which it can be played, and
 * `because` why not in the others.
 */
export const SCENARIOS = [
  { id: 'close', name: "the hub's tab is closed", act: (scene) => scene.close(scene.hub) },
  { id: 'kill', name: "the hub's process is killed", findsProcess: true, act: kill },
  { id: 'reload', name: "the hub's tab is reloaded", act: reload },
  { id: 'bfcache', name: "the hub's tab goes to another page and comes back", act: goAwayAndBack },
  { id: 'freeze', name: "the hub's tab is frozen", only: ['chromium'], because: 'no other engine can be told to freeze a page; a stopped process stands for it', act: freeze },
  { id: 'stop', name: "the hub's process stands still for a while", findsProcess: true, act: stopForAWhile },
  { id: 'wedge', name: "the hub's process stands still until another hub has taken over", findsProcess: true, isLong: true, only: ['chromium', 'firefox'], because: 'where no statement can be suspended, a hub that stands still is given up after more than a minute', act: stopUntilReplaced },
  { id: 'block', name: "the hub's tab is blocked by a long task", act: block },
  { id: 'churn', name: `tabs open and close at random for ${CHURN_SECONDS} s`, act: churn },
  { id: 'builds', name: 'two builds with different worker URLs are open at once', tabs: [build(1), build(1)], act: openAnotherBuild },
  { id: 'deleted', name: 'the storage is deleted under the hub', act: deleteStorage },
];

/** Why a scenario is not played, or false. */
export function skipOf({ id, only, because, isLong }, engine) {
  if (FAILOVER_NAMES && !FAILOVER_NAMES.includes(id)) return 'FAILOVER_NAMES does not name it';
  if (only && !only.includes(engine)) return because;
  if (isLong && !FAILOVER_NAMES) return 'it takes half a minute; `npm run failover` plays it';
  return false;
}

async function kill(scene) {
  scene.endDead(scene.hub);
  await scene.browser.killProcess(scene.pid);
}

async function reload(scene) {
  await scene.hub.reload();
  await scene.renew(scene.hub);
}

async function goAwayAndBack(scene) {
  await scene.putAside(async (hub) => {
    await scene.leave(hub);
    await scene.goOn(scene.others, 'while one is away');
    await scene.comeBack(hub);
  });
}

async function freeze(scene) {
  await scene.putAside(async (hub) => {
    await hub.freeze();
    await scene.goOn(scene.others, 'while one is frozen');
    await hub.thaw();
  });
}

/** Too short for anybody to give the hub up: whoever waits is answered when it moves again. */
async function stopForAWhile(scene) {
  await whileStopped(scene, () => sleep(PAUSE_MS));
}

async function stopUntilReplaced(scene) {
  await whileStopped(scene, () => scene.goOn(scene.others, 'while one stands still'));
}

function whileStopped(scene, wait) {
  return scene.putAside(async () => {
    scene.browser.stopProcess(scene.pid);
    try {
      await wait();
    } finally {
      scene.browser.continueProcess(scene.pid);
    }
  });
}

/** In WebKit what a worker says passes through its page's own thread, so the others go on after the task. */
async function block(scene) {
  await scene.putAside(async (hub) => {
    let isOver = false;
    const over = hub.block(PAUSE_MS).then(() => (isOver = true));
    const others = scene.goOn(scene.others, 'while one is blocked').then(() => {
      scene.notes.push(isOver ? 'the others waited for its end' : 'the others went on meanwhile');
    });
    await Promise.all([over, others]);
  });
}

async function churn(scene, random) {
  const begun = performance.now();
  let [opened, closed] = [0, 0];
  while (performance.now() < begun + CHURN_SECONDS * 1_000) {
    const { length } = scene.tabs;
    if (length <= TABS_MIN || (length < TABS_MAX && random() < 0.5)) {
      await scene.add();
      opened++;
    } else {
      await scene.close(scene.tabs[Math.floor(random() * length)]);
      closed++;
    }
    await sleep(random() * CHURN_PAUSE_MS_MAX);
  }
  scene.notes.push(`${opened} tabs opened, ${closed} closed`);
}

async function openAnotherBuild(scene) {
  for (const options of [build(2), build(2)]) await scene.add(options);
}

/** What was stored is gone: no write that was made after the deletion is acknowledged. A read may still be answered from memory. */
async function deleteStorage(scene) {
  await scene.deleteStorage();
  const deletedAt = Date.now();
  await scene.seeDeleted();
  const { errors, waits } = scene.said;
  assert.deepEqual(errors.filter((line) => !line.includes('HUB_DELETED')), [], 'every call ends with HUB_DELETED');
  assert.deepEqual(waits.filter(({ lane, began }) => lane !== 'read' && began > deletedAt), [], 'nothing is stored in what is gone');
  await scene.beginAnew();
}
