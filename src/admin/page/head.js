import { age, element, many, setText, short } from './text.js';

const byId = (id) => document.getElementById(id);

const TILES = ['Waiting', 'Oldest wait', 'In use', 'Refused', 'Services', 'Envoys'];

/** Who coordinates the slots that Envoys share. */
function coordinated({ follows, sharing }) {
  if (sharing !== undefined)
    return `, coordinates the slots of ${many(sharing.members.length, 'queue filter')}, term ${sharing.term}`;
  if (follows === undefined) return '';
  const { coordinator, name, state } = follows;
  if (coordinator === undefined) return ', nobody is known to coordinate';
  return `, follows ${coordinator}${name ? ` (${name})` : ''}${state === 'away' ? ', which is away' : ''}`;
}

/** What stands above the services. */
export class Head {
  constructor() {
    this.tiles = new Map(TILES.map((name) => [name, tile(name)]));
    byId('tiles').append(...[...this.tiles.values()].map(({ root }) => root));
  }

  /** Draws what is true `now` (milliseconds since the epoch). */
  update(head, views, now) {
    setText(byId('about'), `${head.version}, up ${age(now - Date.parse(head.startedAt))}${coordinated(head)}`);
    this.envoys(head, now);
    this.problems(head.problems);
    byId('burst').hidden = !head.burst;
    this.sums(views, head);
  }

  sums(views, { nodes }) {
    const sum = (read) => views.reduce((total, view) => total + (read(view) ?? 0), 0);
    const waiting = sum((view) => view.waiting);
    const longest = views.reduce((a, b) => ((b.oldestWaitMs ?? 0) > (a?.oldestWaitMs ?? 0) ? b : a), undefined);
    const refused = sum((view) => view.lastMinute?.refused);
    const slots = sum((view) => view.slots);
    const limited = views.filter(({ kind }) => kind === 'limited');
    const known = limited.length === 0 || limited.some((view) => view.waiting !== undefined);
    const set = (name, ...rest) => this.tiles.get(name).set(...rest);
    const most = sum((view) => view.lastMinute?.mostWaiting);
    const peak = most > waiting ? `at most ${most.toLocaleString('en')} in a minute` : '';
    set('Waiting', known ? waiting.toLocaleString('en') : '?', peak, waiting > 0 && 'waits');
    const oldest = longest?.oldestWaitMs === undefined ? ['–', ''] : [short(longest.oldestWaitMs), longest.name];
    set('Oldest wait', ...oldest, oldest[1] !== '' && 'waits');
    const inUse = known ? sum((view) => view.inUse).toLocaleString('en') : '?';
    set('In use', inUse, limited.length > 0 && `of ${many(slots, 'slot')}`);
    set('Refused', known ? refused.toLocaleString('en') : '?', 'in the last minute', refused > 0 && 'bad');
    // Sums of old numbers are old.
    const isOld = views.some(({ oldSince }) => oldSince !== undefined);
    for (const name of ['Waiting', 'Oldest wait', 'In use', 'Refused'])
      this.tiles.get(name).root.classList.toggle('outdated', isOld);
    const out = sum((view) => view.pods.filter(([, state]) => state === 'ejected' || state === 'unhealthy').length);
    const pods = many(
      sum((view) => view.pods.length),
      'pod',
    );
    set('Services', views.length.toLocaleString('en'), out > 0 ? `${pods}, ${out} out` : pods, out > 0 && 'out');
    const well = nodes.filter(
      ({ state, filter }) => state === 'in sync' && (filter ?? 'connected') === 'connected',
    ).length;
    set(
      'Envoys',
      nodes.length,
      nodes.length === 0 ? 'none is connected' : `${well} in sync`,
      well === nodes.length && well > 0 ? '' : 'bad',
    );
  }

  envoys({ nodes, sharing }, now) {
    const own = nodes.map((node) => {
      const { id, userAgent, peer, why, connectedSince, filter } = node;
      const [tone, text] = envoyState(node);
      const item = element('li', tone, element('b', '', id), ` ${text}`);
      const since = `connected for ${age(now - Date.parse(connectedSince))}`;
      const queue = filter === undefined ? [] : [`queue filter: ${filter}`];
      item.title = [`${userAgent}, from ${peer}, ${since}`, ...queue, ...why].join('\n');
      return item;
    });
    const items = [...own, ...others(nodes, sharing, now)];
    const box = byId('envoys');
    const before = [...box.children].map(({ title, className }) => `${className} ${title}`).join();
    if (before !== items.map(({ title, className }) => `${className} ${title}`).join()) box.replaceChildren(...items);
  }

  problems(problems) {
    const box = byId('problems');
    const key = JSON.stringify(problems);
    if (key === this.problemsKey) return;
    this.problemsKey = key;
    box.hidden = problems.length === 0;
    const title = element('summary', '', element('h2', '', many(problems.length, 'problem')));
    const list = element('details', '', title, element('ul', '', ...problems.map(problemItem)));
    list.open = problems.length <= 3;
    box.replaceChildren(list);
  }
}

/** Envoys that share slots and are not connected here: away, or at another Sluice. */
function others(nodes, sharing, now) {
  const here = new Set(nodes.map(({ id }) => id));
  return (sharing?.members ?? []).flatMap(({ node, state, via, since }) => {
    if (state !== 'away' && here.has(node)) return [];
    const text = state === 'away' ? 'away, and may hold slots' : state === 'joining' ? 'joining' : 'shares slots';
    const tone = { away: 'rejected', joining: 'pending', connected: 'in-sync' }[state];
    const item = element('li', tone, element('b', '', node), ` ${text}`);
    const parts = [via && `by ${via}`, since && `for ${age(now - Date.parse(since))}`];
    item.title = `its queue filter is ${[state, ...parts].filter(Boolean).join(', ')}`;
    return [item];
  });
}

/** One problem as an item of a list. */
export function problemItem({ severity, subject, position, path, message, fix }) {
  const place = position === undefined ? subject : `${subject}:${position.line}:${position.column}`;
  const about = element('b', '', [place, path].filter(Boolean).join(' · '));
  return element('li', severity, about, ` ${message}`, ...(fix ? [element('em', '', ` ${fix}`)] : []));
}

function envoyState({ state, filter }) {
  if (state === 'rejected' || filter === 'rejected') return ['rejected', 'rejected part of its configuration'];
  if (filter === 'disconnected') return ['rejected', 'queue filter not connected'];
  if (state === 'pending') return ['pending', 'pending'];
  return filter === 'off' ? ['pending', 'queue filter off'] : ['in-sync', 'in sync'];
}

function tile(name) {
  const value = element('dd', 'value', '–');
  const note = element('dd', 'note');
  const root = element('div', 'tile', element('dt', '', name), value, note);
  return {
    root,
    set(text, about = '', tone = '') {
      setText(value, String(text));
      setText(note, about || '');
      root.className = `tile ${tone || ''}`.trim();
    },
  };
}
