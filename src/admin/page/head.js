import { age, element, many, setText, short } from './text.js';

const byId = (id) => document.getElementById(id);

const TILES = ['Waiting', 'Oldest wait', 'In use', 'Refused', 'Services', 'Envoys'];

/** What stands above the services. */
export class Head {
  constructor() {
    this.tiles = new Map(TILES.map((name) => [name, tile(name)]));
    byId('tiles').append(...[...this.tiles.values()].map(({ root }) => root));
  }

  /** Draws what is true now. */
  update(head, views, at) {
    const now = Date.parse(at);
    setText(byId('about'), `${head.version}, up ${age(now - Date.parse(head.startedAt))}`);
    this.envoys(head.nodes, now);
    this.problems(head.problems);
    byId('burst').hidden = !head.burst;
    this.sums(views, head);
  }

  sums(views, { nodes, sampledOneIn }) {
    const sum = (read) => views.reduce((total, view) => total + (read(view) ?? 0), 0);
    const waiting = sum((view) => view.waiting);
    const longest = views.reduce((a, b) => ((b.oldestWaitMs ?? 0) > (a?.oldestWaitMs ?? 0) ? b : a), undefined);
    const refused = sum((view) => view.lastMinute?.refused);
    const slots = sum((view) => view.slots);
    const limited = views.filter(({ kind }) => kind === 'limited');
    const known = views.length === 0 || views.some((view) => view.waiting !== undefined);
    const set = (name, ...rest) => this.tiles.get(name).set(...rest);
    set('Waiting', known ? waiting.toLocaleString('en') : '?', '', waiting > 0 && 'waits');
    const oldest = longest?.oldestWaitMs === undefined ? ['–', ''] : [short(longest.oldestWaitMs), longest.name];
    set('Oldest wait', ...oldest, oldest[1] !== '' && 'waits');
    set(
      'In use',
      sum((view) => view.requestsInProgress).toLocaleString('en'),
      limited.length > 0 && `of ${many(slots, 'slot')}`,
    );
    const counted = sampledOneIn === undefined ? 'in the last minute' : `in the last minute, by one in ${sampledOneIn}`;
    set('Refused', refused.toLocaleString('en'), counted, refused > 0 && 'bad');
    set(
      'Services',
      views.length.toLocaleString('en'),
      many(
        sum((view) => view.pods.length),
        'pod',
      ),
    );
    const synced = nodes.filter(({ state }) => state === 'in sync').length;
    set(
      'Envoys',
      nodes.length,
      nodes.length === 0 ? 'none is connected' : `${synced} in sync`,
      synced === nodes.length && synced > 0 ? '' : 'bad',
    );
  }

  envoys(nodes, now) {
    const items = nodes.map(({ id, userAgent, peer, state, why, connectedSince }) => {
      const words = { 'in sync': 'in sync', pending: 'pending', nacked: 'refuses a part' };
      const item = element('li', state.replace(' ', '-'), element('b', '', id), ` ${words[state]}`);
      const since = `connected for ${age(now - Date.parse(connectedSince))}`;
      item.title = [`${userAgent}, from ${peer}, ${since}`, ...why].join('\n');
      return item;
    });
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
    const items = problems.map(({ severity, subject, position, path, message, fix }) => {
      const place = position === undefined ? subject : `${subject}:${position.line}:${position.column}`;
      const about = element('b', '', [place, path].filter(Boolean).join(' · '));
      return element('li', severity, about, ` ${message}`, ...(fix ? [element('em', '', ` ${fix}`)] : []));
    });
    const list = element(
      'details',
      '',
      element('summary', '', many(problems.length, 'problem')),
      element('ul', '', ...items),
    );
    list.open = problems.length <= 3;
    box.replaceChildren(list);
  }
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
