// The hub's worker, and a way to end it: no page can kill a SharedWorker, so this one ends itself when a tab says so, in the middle of whatever it does and
// without a word to anybody, as in a crash. tabhub starts it (tasks.js), trouble.js speaks to it.
importScripts('/dist/hub.js');

const isShared = 'onconnect' in self;
new BroadcastChannel('tasks.db:end').onmessage = ({ data }) => {
  if (data === 'any hub' || data === 'a shared hub' && isShared) self.close();
};
