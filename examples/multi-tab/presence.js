// Who is here: the tabs that have the database open, what this one is to the hub, and what it lived through. Called by main.js.
import { $, count, el, milliseconds } from '../page.js';

const BLOCK_MS = 5_000;
const EVENTS_SHOWN = 4;
/** Every tab holds a Web Lock of this name as long as it has the database open. */
const TAB_LOCK = 'tabhub:tasks.db:tab:';
const ROLES = {
  client: 'All tabs share the hub in a SharedWorker.',
  leader: 'This tab hosts the hub, in a worker of its own.',
  follower: 'Another tab hosts the hub.',
};

/** Shows it now, and again whenever a tab comes or goes. */
export function showPresence(db) {
  const render = async () => {
    const { held = [] } = await navigator.locks.query();
    const tabs = held.filter(({ name }) => name.startsWith(TAB_LOCK)).length;
    $('#tabs').textContent = `${count(tabs, 'tab')} ${tabs === 1 ? 'has' : 'have'} the list open. ${ROLES[db.status.role]}`;
  };
  const happened = text => {
    const list = $('#events');
    list.prepend(el('li', {}, `${new Date().toLocaleTimeString()} ${text}`));
    while (list.children.length > EVENTS_SHOWN) list.lastChild.remove();
  };
  db.on('status', ({ state }) => {
    if (state === 'reconnecting') happened('The hub is gone; looking for another.');
    void render();
  });
  db.on('failover', ({ to, ms }) => happened(`Going on with hub ${to.slice(0, 8)} after ${milliseconds(ms)}.`));
  db.on('outdated', ({ hub }) => happened(`The hub is of a newer version, ${hub}: reload when it suits.`));
  // Nothing tells of a lock that is taken elsewhere.
  setInterval(() => document.visibilityState === 'visible' && void render(), 1_000);
  $('#block').onclick = () => {
    happened(`Blocked for ${milliseconds(BLOCK_MS)}; the other tabs go on.`);
    // What was just said is to be seen first.
    requestAnimationFrame(() => setTimeout(() => { for (const end = Date.now() + BLOCK_MS; Date.now() < end;); }));
  };
  void render();
}
