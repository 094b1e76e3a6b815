import { age, element, serviceLink, setText } from './text.js';

const byId = (id) => document.getElementById(id);
/** Kinds that somebody who cannot see the page is told of. */
const SAID = new Set(['pod ejected', 'filter disconnected', 'filter rejected', 'configuration rejected', 'edit']);

/** What happened in the last hour. */
export class EventsView {
  constructor(root) {
    this.list = element('ol', 'events');
    this.empty = element('p', 'empty', 'Nothing has happened in the last hour.');
    const title = element('h2', '', 'Events of the last hour');
    title.id = 'title-events';
    root.append(title, this.list, this.empty);
  }

  /** Draws these events, newest first. */
  update(events, before, isFirst) {
    this.list.replaceChildren(...events.map(eventItem));
    this.empty.hidden = events.length > 0;
    if (isFirst) return;
    const known = new Set(before.map(keyOf));
    const news = events.filter((event) => SAID.has(event.kind) && !known.has(keyOf(event)));
    if (news.length > 0)
      byId('said').replaceChildren(...news.slice(0, 3).map((event) => element('p', '', textOf(event))));
  }

  /** Tells how long ago each was. */
  tick(now) {
    for (const time of this.list.querySelectorAll('.ago')) setText(time, `${age(now - Number(time.dataset.at))} ago`);
  }
}

/** One event as an item of a list. */
export function eventItem(event) {
  const at = Date.parse(event.at);
  const time = element('time', '', new Date(at).toLocaleTimeString());
  time.dateTime = event.at;
  const ago = element('span', 'ago');
  ago.dataset.at = String(at);
  const about = [
    ...(event.service === undefined ? [] : [serviceLink(event.service), ' ']),
    ...(event.pod === undefined ? [] : [element('b', '', event.pod), ' ']),
    ...(event.node === undefined || event.service !== undefined ? [] : [element('b', '', `Envoy ${event.node}`), ' ']),
  ];
  const kind = element('span', 'event-kind', event.kind);
  return element(
    'li',
    event.kind.replaceAll(' ', '-'),
    time,
    kind,
    element('span', 'what', ...about, event.message),
    ago,
  );
}

function textOf({ service = '', pod = '', kind, message }) {
  return [kind, service, pod, message].filter(Boolean).join(' ');
}

function keyOf({ at, kind, service, pod }) {
  return [at, kind, service, pod].join();
}
