import { EventsView } from './events.js';
import { Head } from './head.js';
import { Link } from './link.js';
import { RoutesView } from './routes.js';
import { ServiceView } from './service.js';
import { ServicesView } from './services.js';

const byId = (id) => document.getElementById(id);

const head = new Head();
const services = new ServicesView();
const events = new EventsView(byId('view-events'));
const routes = new RoutesView(byId('view-routes'));

/** Everything that was told last. */
const state = { head: undefined, at: 0, services: new Map(), routes: [], events: [] };
/** The own view of a service, while it is open. */
let service;

function apply(event) {
  state.at = Date.parse(event.at);
  if (event.head) state.head = event.head;
  if (event.full) state.services.clear();
  for (const name of event.gone) state.services.delete(name);
  for (const view of event.services) state.services.set(view.name, view);
  const views = [...state.services.values()];
  head.update(state.head, views, state.at);
  services.update(views, event.full);
  if (event.routes) {
    state.routes = event.routes;
    routes.update(state.routes, state.head.listeners);
  }
  if (event.events) {
    events.update(event.events, state.events, event.full);
    state.events = event.events;
  }
  events.tick(state.at);
  service?.update(state);
}

/** What of the address is shown. */
let shown;

/** Shows what the address names: `#services`, `#service/codec`, `#events`, `#routes`, `#routes/http%3A%2F%2Fhost%2Fpath`. */
function route() {
  shown = location.hash;
  const [, view, name] = /^#(\w*)(?:\/(.*))?$/.exec(location.hash) ?? [];
  const known = ['services', 'service', 'events', 'routes'].includes(view) ? view : 'services';
  for (const one of ['services', 'service', 'events', 'routes']) byId(`view-${one}`).hidden = one !== known;
  for (const link of document.querySelectorAll('nav a')) {
    const isHere = link.hash === `#${known}` || (known === 'service' && link.hash === '#services');
    if (isHere) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  service?.close();
  service = undefined;
  if (known === 'service') {
    service = new ServiceView(byId('view-service'), decodeURIComponent(name ?? ''));
    if (state.head) service.update(state);
  }
  if (known === 'routes' && name) routes.explain.show(decodeURIComponent(name));
  document.title = known === 'service' ? `${decodeURIComponent(name ?? '')} – Sluice` : 'Sluice';
}

function move(step) {
  const names = [...byId('services').querySelectorAll('.row:not([hidden]) .name')];
  const index = names.indexOf(document.activeElement);
  const next = names[index === -1 ? (step > 0 ? 0 : names.length - 1) : index + step];
  next?.focus();
}

byId('skip').addEventListener('click', (event) => {
  event.preventDefault();
  byId('main').focus();
});
byId('burst').addEventListener('click', async ({ currentTarget: button }) => {
  button.disabled = true;
  try {
    const answer = await fetch('burst', { method: 'POST', headers: { 'x-sluice-burst': '1' } });
    if (!answer.ok) button.textContent = (await answer.text()).trim();
  } finally {
    button.disabled = false;
  }
});
document.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  const search = byId('search');
  const typing = event.target === search;
  const isList = !byId('view-services').hidden;
  if (event.key === '/' && !typing && isList) search.focus();
  else if (event.key === 'Escape' && typing) services.search('');
  else if (event.key === 'Escape' && event.target.closest('form') !== null) event.target.blur();
  else if (event.key === 'Escape' && !isList) {
    location.hash = '#services';
    // At once: the next key may be for the list.
    go();
  } else if (isList && (event.key === 'ArrowDown' || event.key === 'ArrowUp')) {
    if (event.target instanceof HTMLSelectElement) return;
    move(event.key === 'ArrowDown' ? 1 : -1);
  } else return;
  event.preventDefault();
});
/** Shows what the address names, from its top; nothing where it is shown already. */
function go() {
  if (location.hash === shown) return;
  route();
  byId('main').focus({ preventScroll: true });
  scrollTo(0, 0);
}
addEventListener('hashchange', go);
route();
new Link(apply).open();
