// The buttons that make trouble: kill the hub, freeze this tab, make all tabs do without SharedWorker. Called by main.js.
import { $ } from '../page.js';

const FREEZE_MS = 5_000;

const hub = new BroadcastChannel('tasks.db:end');

/** Before a tab opens the database without SharedWorker: a hub that is left in one would serve it, too. */
export function endSharedHub() {
  hub.postMessage('a shared hub');
}

/** `mode`: in which this tab was opened. */
export function offerTrouble({ db }, mode) {
  const tabs = new BroadcastChannel('tasks.db:mode');
  $('#kill').onclick = () => hub.postMessage('any hub');
  $('#freeze').onclick = () => {
    // A busy loop: nothing else happens in this page meanwhile. The button is to be seen pressed first.
    requestAnimationFrame(() => setTimeout(() => { for (const end = Date.now() + FREEZE_MS; Date.now() < end;); }));
  };

  // In place of this page: one that is kept aside for a way back would keep its hub with it in WebKit, frozen but not gone.
  const change = to => location.replace(Object.assign(new URL(location), { search: to === 'leader' ? '?mode=leader' : '' }));
  const other = mode === 'leader' ? 'auto' : 'leader';
  $('#mode').textContent = other === 'leader' ? 'Force the fallback' : 'Back to SharedWorker';
  // Where there is no SharedWorker, it is in force already.
  $('#mode').disabled = other === 'leader' && db.status.mode === 'leader';
  $('#mode').onclick = () => {
    tabs.postMessage(other);
    change(other);
  };
  tabs.onmessage = ({ data }) => change(data);
}
