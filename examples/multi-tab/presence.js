// Who is here: a mark for each tab that has the list open, where the hub runs, and what this tab lived through. Called by main.js.
import { $, el, milliseconds } from '../page.js';
import { mark } from './list.js';
import { claim } from './tasks.js';

const EVENTS_SHOWN = 4;
/** Every tab holds a Web Lock of this name and its number (tasks.js), so the browser itself tells who is gone. */
const TAB_LOCK = 'tasks.db:tab:';

/** Shows it now, and again whenever a tab comes, goes or changes. */
export function showPresence({ db, tab }) {
  /** What each tab said last, by its number; which of them are still here, the locks tell. */
  const said = new Map();
  const channel = new BroadcastChannel('tasks.db:presence');
  const announce = () => {
    said.set(tab, { role: db.status.role, isHidden: document.visibilityState === 'hidden' });
    channel.postMessage({ tab, ...said.get(tab) });
    void render();
  };
  const render = async () => {
    const { held = [] } = await navigator.locks.query();
    const tabs = held.filter(({ name }) => name.startsWith(TAB_LOCK)).map(({ name }) => Number(name.slice(TAB_LOCK.length))).sort((a, b) => a - b);
    $('#tabs').replaceChildren(...tabs.map(each => chipOf(each, tab, said.get(each))));
    $('#hub').textContent = whereTheHubIs(tabs, tab, said);
  };
  channel.onmessage = ({ data }) => {
    if (data === 'who is here?') return announce();
    said.set(data.tab, data);
    void render();
  };
  db.on('status', announce);
  document.addEventListener('visibilitychange', announce);
  // While a page is kept aside for a way back, the browser may take its locks.
  addEventListener('pageshow', ({ persisted }) => persisted && claim(tab));
  // Nothing tells of a lock that is taken or released elsewhere.
  setInterval(() => document.visibilityState === 'visible' && void render(), 1_000);
  channel.postMessage('who is here?');
  announce();
  showEvents(db);
}

function chipOf(tab, me, { role, isHidden } = {}) {
  const chip = mark(el('li', { className: 'chip' }), tab);
  if (tab === me) chip.append(' · this one');
  if (role === 'leader') chip.append(' · hosts the hub');
  if (isHidden) chip.append(' · hidden');
  return chip;
}

/** A hub that was there first serves the tabs of both modes, so a tab's own role does not tell: what all of them say does. */
function whereTheHubIs(tabs, me, said) {
  const host = tabs.find(tab => said.get(tab)?.role === 'leader');
  if (host === me) return 'This tab hosts the hub, in a worker of its own.';
  if (host) return `Tab ${host} hosts the hub, in a worker of its own.`;
  if (!tabs.every(tab => said.has(tab))) return 'Asking the tabs where the hub is.';
  return said.get(me)?.role === 'follower' ? 'The hub runs in a SharedWorker, which this tab reaches over BroadcastChannel.' : 'The hub runs in a SharedWorker.';
}

function showEvents(db) {
  const happened = text => {
    const list = $('#events');
    list.prepend(el('li', {}, `${new Date().toLocaleTimeString()} ${text}`));
    while (list.children.length > EVENTS_SHOWN) list.lastChild.remove();
  };
  db.on('status', ({ state }) => {
    if (state === 'reconnecting') happened('The hub is gone; looking for another.');
  });
  db.on('failover', ({ to, ms }) => happened(`Going on with hub ${to.slice(0, 8)} after ${milliseconds(ms)}.`));
  db.on('outdated', ({ hub }) => happened(`The hub is of a newer version, ${hub}: reload when it suits.`));
}
