// The list of tasks on the page. Called by main.js with rows; never talks to the database.
import { el } from '../page.js';

/** Writes a tab's number into its coloured mark. */
export function mark(chip, tab) {
  chip.textContent = `tab ${tab}`;
  chip.style.setProperty('--hue', String((133 + tab * 67) % 360));
  return chip;
}

/** Writes a task, as it is stored, into its element. */
function show({ li, title, done, chip, task }) {
  title.value = task.title;
  done.checked = task.done === 1;
  mark(chip, task.writer);
  li.classList.toggle('done', task.done === 1);
}

/** Keeps one element per task across renderings, so that focus, selection and half-typed titles survive what other tabs do. */
export class TaskList {
  #list;
  #actions;
  #items = new Map();

  /** `actions`: rename(id, title), tick(id, done), remove(id); each resolves with whether it was done. */
  constructor(list, actions) {
    this.#list = list;
    this.#actions = actions;
  }

  /** `flashes`: whether a task is to stand out. */
  render(tasks, flashes) {
    const gone = new Set(this.#items.keys());
    tasks.forEach((task, place) => {
      gone.delete(task.id);
      const item = this.#items.get(task.id) ?? this.#create(task.id);
      // A live query tells a row that stays the same by the same object.
      if (item.task !== task) this.#update(item, task, flashes(task));
      if (this.#list.children[place] !== item.li) this.#list.insertBefore(item.li, this.#list.children[place] ?? null);
    });
    for (const id of gone) this.#drop(id);
  }

  #create(id) {
    const title = el('input', { type: 'text', maxLength: 200, ariaLabel: 'Title' });
    const done = el('input', { type: 'checkbox', ariaLabel: 'Done' });
    const chip = el('span', { className: 'chip' });
    const remove = el('button', { type: 'button', className: 'plain', ariaLabel: 'Delete', title: 'Delete', onclick: () => this.#actions.remove(id) }, '✕');
    const item = { li: el('li', {}, done, title, chip, remove), title, done, chip, task: undefined };
    const orBack = change => async () => { if (!await change()) show(item); };
    done.onchange = orBack(() => this.#actions.tick(id, Number(done.checked)));
    title.onchange = orBack(() => this.#actions.rename(id, title.value));
    title.onkeydown = event => {
      if (event.key === 'Escape') title.value = item.task.title;
      if (event.key === 'Enter' || event.key === 'Escape') title.blur();
    };
    this.#items.set(id, item);
    return item;
  }

  #update(item, task, isFlashing) {
    const isTyped = document.activeElement === item.title && item.title.value !== item.task?.title;
    const typed = item.title.value;
    item.task = task;
    show(item);
    // What the user is typing is worth more than what another tab wrote meanwhile.
    if (isTyped) item.title.value = typed;
    if (isFlashing) item.li.classList.add('flash');
    item.li.onanimationend = () => item.li.classList.remove('flash');
  }

  #drop(id) {
    this.#items.get(id).li.remove();
    this.#items.delete(id);
  }
}
