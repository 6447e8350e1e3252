// The links between the examples, in every page's header: one list for all. Loaded by each index.html; it touches nothing else.
const EXAMPLES = { 'multi-tab': 'Task list', console: 'SQL console', 'sql-demo': 'SQL tour', 'rust-app': 'List in Rust', inspector: 'Inspector', benchmark: 'Benchmark' };

const links = Object.entries(EXAMPLES).map(([folder, name]) => {
  const href = `/examples/${folder}/`;
  const link = Object.assign(document.createElement('a'), { href, textContent: name });
  if (location.pathname.startsWith(href)) link.setAttribute('aria-current', 'page');
  return link;
});
document.querySelector('.site nav').append(...links);
