// What the examples share: building elements, showing errors, the status line. Called by each main.js; never touches a database
// except to read its status.

export const $ = selector => document.querySelector(selector);

/** A new element with properties and children: `el('button', { type: 'button', onclick }, 'Go')`. */
export function el(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

const integer = new Intl.NumberFormat('en');
export const count = (n, noun) => `${integer.format(n)} ${n === 1 ? noun : `${noun}s`}`;
export const format = n => integer.format(n);
export const milliseconds = ms => ms < 10 ? `${ms.toFixed(1)} ms` : ms < 1000 ? `${Math.round(ms)} ms` : ms < 120_000 ? `${(ms / 1000).toFixed(2)} s` : `${Math.round(ms / 60_000)} min`;

// The outcome says what a failed call has left behind; it is the first thing a user wants to know after an error.
const OUTCOMES = {
  'not-applied': 'Nothing was changed.',
  'applied': 'The change was made.',
  'unknown': 'Whether the change was made is not known: look before you repeat it.',
};

/** Shows an error in the page's notice; `detail` and `action` are elements to show with it. */
export function showError(error, { detail, action } = {}) {
  const code = error.code ?? error.name ?? 'Error';
  const outcome = OUTCOMES[error.outcome];
  $('#notice').replaceChildren(
    el('div', { className: 'row spread' }, el('span', { className: 'code' }, code),
      el('button', { type: 'button', className: 'plain', onclick: clearError, ariaLabel: 'Dismiss' }, '✕')),
    el('p', {}, error.message),
    detail ?? '',
    el('div', { className: 'row' }, action ?? '', el('span', { className: 'small muted' }, outcome ?? '')));
  $('#notice').hidden = false;
  $('#notice').scrollIntoView({ block: 'nearest' });
}

export function clearError() {
  $('#notice').hidden = true;
}

/** Runs an event handler so that whatever it throws is shown, not lost in the console. */
export const guarded = handler => async event => {
  try {
    await handler(event);
  } catch (error) {
    showError(error);
  }
};

/** Renders the status line now, and again whenever the status changes; returns the function that renders it. */
export function statusLine(db, target) {
  const render = async () => {
    const { state, mode, hub, epoch, persistence, storage, version, sqlite } = db.status;
    const dot = el('span', { className: state === 'open' ? 'dot' : 'dot off' });
    const facts = [['hub', `${hub.slice(0, 8)} (${mode})`], ['epoch', epoch], ['storage', storage === 'ok' ? persistence : `${persistence}, ${storage}`], ['SQLite', sqlite], ['tabhub', version]];
    // Metrics come from the hub, so they are asked for only while there is one.
    if (state === 'open') {
      const { commits, groups } = await db.metrics();
      facts.push(['commits', `${format(commits)} in ${count(groups, 'group')}`]);
    }
    target.replaceChildren(el('div', {}, dot, state), el('dl', {}, ...facts.map(([name, value]) => el('div', {}, el('dt', {}, name), el('dd', {}, String(value))))));
  };
  const update = () => render().catch(showError);
  db.on('status', status => {
    update();
    if (status.state === 'lost' || status.state === 'failed') showError({ code: `The hub is ${status.state}`, message: 'What was acknowledged is stored. Reload the page to go on.' });
  });
  update();
  return update;
}
