// The count that nothing was lost: lets this tab write, compares what was acknowledged with what is stored, and shows it. Called by main.js.
import { $, format, guarded, showError } from '../page.js';
import { Writer, acknowledged, forgetAcknowledged, isAcknowledgement } from './writer.js';

/** Who writes, and who compares, shares this Web Lock; who begins anew has it alone. */
const LOCK = 'tasks.db:count';
/** Between two comparisons: at least, and at most. */
const COMPARE_MS = 200;
const COMPARE_MS_MAX = 1_000;

/** `onCompared` is called after each comparison. */
export function showCount(tasks, onCompared) {
  // There was no database, so nothing of it was acknowledged. One that the browser has deleted is `lost`, and then so is what was in it.
  if (tasks.db.status.found === 'new') forgetAcknowledged();
  let errors = 0;
  const compareSoon = soon(guarded(async () => {
    render(await compare(tasks), errors);
    onCompared();
  }));
  const writer = new Writer(tasks, error => {
    errors += 1;
    showError(error);
  });
  tasks.db.onChange({ tables: ['written'] }, compareSoon);
  // An acknowledgement may come after its commit was told of: another tab's, and the last one here.
  addEventListener('storage', ({ key }) => (key === null || isAcknowledgement(key)) && compareSoon());
  const stop = offerWriting(writer, compareSoon);
  offerAnew(tasks, stop, () => {
    errors = 0;
    compareSoon();
  });
  compareSoon();
}

/** Whether this tab writes outlasts a reload. Answers a function that ends it. */
function offerWriting(writer, onStopped) {
  const write = guarded(async () => {
    writer.isWanted = true;
    sessionStorage.setItem('writes', 'yes');
    $('#write').setAttribute('aria-pressed', 'true');
    try {
      await navigator.locks.request(LOCK, { mode: 'shared' }, () => writer.write());
    } finally {
      writer.isWanted = false;
      $('#write').setAttribute('aria-pressed', 'false');
      onStopped();
    }
  });
  const stop = () => {
    writer.isWanted = false;
    sessionStorage.removeItem('writes');
  };
  $('#write').onclick = () => $('#write').getAttribute('aria-pressed') === 'true' ? stop() : write();
  if (sessionStorage.getItem('writes')) write();
  return stop;
}

/** All tabs stop writing, and then both sides of the comparison are emptied. */
function offerAnew(tasks, stop, onEmptied) {
  const others = new BroadcastChannel('tasks.db:anew');
  others.onmessage = stop;
  $('#anew').onclick = guarded(async () => {
    others.postMessage('stop');
    stop();
    await navigator.locks.request(LOCK, async () => {
      await tasks.forgetRecords();
      forgetAcknowledged();
    });
    onEmptied();
  });
}

/** The acknowledgements are read first: whatever was acknowledged by then, the query that is sent afterwards must find. */
function compare(tasks) {
  return navigator.locks.request(LOCK, { mode: 'shared' }, async () => {
    const acks = acknowledged();
    const sum = Object.values(acks).reduce((a, b) => a + b, 0);
    const { stored, different, kept } = await tasks.compare(acks);
    return { acknowledged: sum, stored, lost: sum - kept, doubled: stored - different };
  });
}

function render(compared, errors) {
  for (const [id, n] of Object.entries({ ...compared, errors })) $(`#${id}`).textContent = format(n);
  for (const id of ['lost', 'doubled']) $(`#${id}`).className = compared[id] === 0 ? 'agrees' : 'disagrees';
}

/** Calls that come together are one, a little later; one that comes meanwhile is one more. What takes long is not done all the time. */
function soon(act) {
  let isDue = false;
  let isRunning = false;
  const run = async () => {
    isRunning = true;
    for (let pause = COMPARE_MS; isDue;) {
      await new Promise(resolve => setTimeout(resolve, pause));
      isDue = false;
      const begun = performance.now();
      await act();
      pause = Math.min(Math.max(COMPARE_MS, 4 * (performance.now() - begun)), COMPARE_MS_MAX);
    }
    isRunning = false;
  };
  return () => {
    isDue = true;
    if (!isRunning) void run();
  };
}
