import { Head } from './head.js';
import { Row } from './row.js';
import { many, setText } from './text.js';

const byId = (id) => document.getElementById(id);
const [list, search, sort, link] = ['services', 'search', 'sort', 'link'].map(byId);

/** Rows change their places only so often, and never under somebody's hand. */
const SORT_MS = 2000;
/** With so few services the first one's charts are open from the start. */
const FEW = 3;

const rows = new Map();
const head = new Head();
let state = { head: undefined, at: undefined };
let sortedAt = 0;
let opened = false;

const order = {
  wait: ({ oldestWaitMs = 0, waiting = 0 }) => oldestWaitMs + (waiting > 0 ? 1 : 0),
  waiting: ({ waiting = 0 }) => waiting,
  busy: ({ requestsInProgress = 0 }) => requestsInProgress,
  refused: ({ lastMinute }) => lastMinute?.refused ?? 0,
  name: () => 0,
};

function apply(event) {
  state = { head: event.head ?? state.head, at: event.at };
  const now = Date.parse(event.at);
  const gone = event.full ? missing(event.services) : event.gone;
  for (const name of gone) {
    rows.get(name)?.root.remove();
    rows.delete(name);
  }
  for (const view of event.services) rowOf(view.name).update(view, now);
  const views = [...rows.values()].map(({ view }) => view);
  head.update(state.head, views, event.at);
  arrange(event.full);
  if (!opened && rows.size > 0) {
    opened = true;
    if (rows.size <= FEW) rows.values().next().value.toggle();
  }
}

function missing(views) {
  const names = new Set(views.map(({ name }) => name));
  return [...rows.keys()].filter((name) => !names.has(name));
}

function rowOf(name) {
  let row = rows.get(name);
  if (row === undefined) {
    row = new Row(name);
    rows.set(name, row);
    list.append(row.root);
  }
  return row;
}

/** Shows what is searched for, in the order that is asked for. */
function arrange(immediately) {
  filter();
  const now = performance.now();
  const held = list.matches(':hover') || list.contains(document.activeElement);
  if (!immediately && (held || now - sortedAt < SORT_MS)) return;
  sortedAt = now;
  const key = order[sort.value];
  const sorted = [...rows.values()].sort((a, b) => key(b.view) - key(a.view) || (a.name < b.name ? -1 : 1));
  // Only rows that are not in their place are moved: what is being read stays where it is.
  sorted.forEach((row, index) => {
    if (list.children[index] !== row.root) list.insertBefore(row.root, list.children[index] ?? null);
  });
}

function filter() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const { root, text } of rows.values()) {
    const found = words.every((word) => text.includes(word));
    root.hidden = !found;
    if (found) shown += 1;
  }
  setText(byId('count'), shown === rows.size ? many(shown, 'service') : `${shown} of ${many(rows.size, 'service')}`);
  byId('empty').hidden = shown > 0;
  const nothing = rows.size === 0 ? 'The route file has no service yet.' : 'No service and no pod is called that.';
  setText(byId('empty'), nothing);
}

function connect() {
  const events = new EventSource('events');
  events.onopen = () => connected('live');
  events.onerror = () => {
    connected(events.readyState === EventSource.CLOSED ? 'lost' : 'reconnecting');
    // Turned away: the browser does not try again by itself.
    if (events.readyState === EventSource.CLOSED) setTimeout(connect, 3000);
  };
  events.onmessage = ({ data }) => apply(JSON.parse(data));
}

function connected(text) {
  setText(link, text);
  link.className = `link ${text}`;
  document.body.classList.toggle('stale', text !== 'live');
}

function move(step) {
  const names = [...list.querySelectorAll('.row:not([hidden]) .name')];
  const index = names.indexOf(document.activeElement);
  const next = names[index === -1 ? (step > 0 ? 0 : names.length - 1) : index + step];
  next?.focus();
}

search.addEventListener('input', () => arrange(true));
sort.addEventListener('change', () => arrange(true));
byId('burst').addEventListener('click', async ({ currentTarget: button }) => {
  button.disabled = true;
  try {
    const answer = await fetch('burst', { method: 'POST', headers: { 'x-sluice-burst': '1' } });
    if (!answer.ok) setText(button, (await answer.text()).trim());
  } finally {
    button.disabled = false;
  }
});
document.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target === search;
  if (event.key === '/' && !typing) search.focus();
  else if (event.key === 'Escape' && typing) {
    search.value = '';
    search.blur();
    arrange(true);
  } else if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
    if (event.target instanceof HTMLSelectElement) return;
    move(event.key === 'ArrowDown' ? 1 : -1);
  } else return;
  event.preventDefault();
});
connect();
