import { Charts } from './charts.js';
import { eventItem } from './events.js';
import { problemItem } from './head.js';
import { giveOrder } from './order.js';
import { Queue } from './queue.js';
import { routeRow } from './routes.js';
import { about } from './row.js';
import { age, element, many, setText, short } from './text.js';

/** One service: its numbers, history, queue, pods, routes, problems and events. */
export class ServiceView {
  constructor(root, name) {
    this.root = root;
    this.name = name;
    this.title = element('h2', '', name);
    this.title.id = 'title-service';
    this.about = element('p', 'kind');
    this.facts = element('dl', 'facts');
    this.charts = new Charts(name);
    this.queue = new Queue(name);
    this.pods = table(['Pod', 'State', 'In use', 'Why', 'Since']);
    this.routes = table(['', 'Host', 'Path', 'Conditions', 'Leads to']);
    this.problems = element('ul', 'list');
    this.events = element('ol', 'events');
    this.explain = element('p', 'kind');
    const back = element('a', 'back', '‹ All services');
    back.href = '#services';
    this.parts = {
      problems: part('Problems', this.problems),
      history: part('The last 15 minutes', this.charts.root),
      queue: part('Who waits', this.queue.root),
      pods: part('Pods', element('div', 'scroll', this.pods.root)),
      routes: part('Routes', element('div', 'scroll', this.routes.root), this.explain),
      events: part('Events of the last hour', this.events),
    };
    this.gone = element('p', 'empty', 'There is no service of this name.');
    this.order = element('button', 'small');
    this.order.type = 'button';
    this.order.addEventListener('click', () => this.pauseOrResume());
    this.done = element('p', 'kind');
    this.done.setAttribute('role', 'status');
    const headline = element('div', 'headline', back, this.title, this.about, this.order, this.done);
    root.replaceChildren(headline, this.gone, this.facts, ...Object.values(this.parts));
  }

  /** Ends its timers. */
  close() {
    this.charts.close();
    this.queue.close();
    this.root.replaceChildren();
  }

  /** Draws what is true now. */
  update({ services, head, at, routes, events }) {
    const view = services.get(this.name);
    this.gone.hidden = view !== undefined;
    for (const one of [this.facts, this.order, ...Object.values(this.parts)]) one.hidden = view === undefined;
    if (view === undefined) return;
    const isLimited = view.kind === 'limited';
    setText(this.about, about(view));
    this.paused = view.paused !== undefined;
    setText(this.order, this.paused ? 'Resume' : 'Pause');
    this.order.hidden = !isLimited;
    this.drawFacts(view, at);
    this.parts.history.hidden = !isLimited;
    this.parts.queue.hidden = !isLimited;
    this.queue.update(view.waiting ?? 0);
    this.drawPods(view, at);
    this.drawProblems(head.problems);
    const own = routes.filter(({ services: to }) => to.includes(this.name));
    this.drawOnce('routes', own, () => {
      this.routes.body.replaceChildren(...own.map(routeRow));
      this.explain.replaceChildren(...explainLink(head, own));
    });
    const happened = events.filter(({ service }) => service === this.name);
    this.drawOnce('events', happened, () => this.events.replaceChildren(...happened.map(eventItem)));
    for (const ago of this.events.querySelectorAll('.ago')) setText(ago, `${age(at - Number(ago.dataset.at))} ago`);
    this.parts.events.hidden = happened.length === 0;
  }

  async pauseOrResume() {
    const order = this.paused ? 'resume' : 'pause';
    this.order.disabled = true;
    setText(this.done, await giveOrder(`${order}?${new URLSearchParams({ service: this.name })}`));
    this.order.disabled = false;
  }

  /** Draws only what has changed: what is being read, or marked, stays. */
  drawOnce(what, data, draw) {
    const key = JSON.stringify(data);
    this.keys ??= {};
    if (this.keys[what] === key) return;
    this.keys[what] = key;
    draw();
  }

  drawFacts(view, at) {
    const facts = factsOf(view, at);
    this.drawOnce('facts', facts, () =>
      this.facts.replaceChildren(
        ...facts.map(([name, text, tone = '']) =>
          element('div', tone, element('dt', '', name), element('dd', '', text)),
        ),
      ),
    );
  }

  drawPods({ pods, limit }, at) {
    const rows = pods.map(([address, state, inUse, podLimit, reason, since, until, name, node]) => [
      [address, name, node].filter(Boolean).join('\n'),
      state,
      limit === undefined ? '' : `${inUse ?? '?'}\u00a0/\u00a0${podLimit ?? limit}`,
      [reason, until ? `tried again in ${age(until - at)}` : ''].filter(Boolean).join(', '),
      since ? `${age(at - since)}` : '',
    ]);
    this.drawOnce('pods', rows, () =>
      this.pods.body.replaceChildren(
        ...rows.map(([address, state, ...cells]) =>
          element(
            'tr',
            `state-${state}`,
            element('td', 'address', address),
            element('td', 'state', state),
            ...cells.map((text) => element('td', '', text)),
          ),
        ),
      ),
    );
  }

  drawProblems(problems) {
    const own = problems.filter(
      ({ subject, path = '' }) =>
        subject === `service ${this.name}` ||
        path === `services.${this.name}` ||
        path.startsWith(`services.${this.name}.`),
    );
    this.parts.problems.hidden = own.length === 0;
    this.drawOnce('problems', own, () => this.problems.replaceChildren(...own.map(problemItem)));
  }
}

function part(title, ...children) {
  return element('section', 'part', element('h3', '', title), ...children);
}

function table(heading) {
  const cells = heading.map((text) => element('th', '', text));
  for (const cell of cells) cell.scope = 'col';
  const body = element('tbody');
  return { body, root: element('table', '', element('thead', '', element('tr', '', ...cells)), body) };
}

function factsOf(view, at) {
  const { kind, queue, lastMinute, source, desiredPods, maxRequests, waiting, oldestWaitMs, inUse, slots, oldSince } =
    view;
  const { kind: from, target, state, since } = source;
  const pods = [
    'Pods from',
    `${from} ${target}: ${state}${since === undefined ? '' : ` since ${new Date(since).toLocaleTimeString()}`}`,
    state === 'ready' ? '' : 'bad',
  ];
  if (kind !== 'limited') return [['In flight', `at most ${maxRequests}, counted by Envoy alone`], pods];
  const longest = queue.timeoutMs > 0 ? `, each for at most ${short(queue.timeoutMs)}` : '';
  const { waitMs, workMs, mostWaiting = 0, mostInUse = 0 } = lastMinute ?? {};
  return [
    ...(view.paused ? [['Paused', `by ${view.paused.by}, ${age(at - Date.parse(view.paused.at))} ago`, 'bad']] : []),
    ['Waiting', `${waiting ?? '?'}, at most ${mostWaiting} in the last minute`, waiting > 0 ? 'waits' : ''],
    ['Oldest wait', oldestWaitMs === undefined ? '–' : short(oldestWaitMs), oldestWaitMs === undefined ? '' : 'waits'],
    [
      'In use',
      `${inUse ?? '?'} of ${many(slots, 'slot')}, at most ${mostInUse} in the last minute`,
      slots === 0 ? 'bad' : '',
    ],
    ...heldBy(view),
    ['Queue', `room for ${queue.max.toLocaleString('en')}${longest}`],
    ...(desiredPods === undefined ? [] : [['Wanted', `${many(desiredPods, 'pod')} would serve all at once`]]),
    ...(waitMs ? [['Wait', `p50 ${short(waitMs.p50)}, p99 ${short(waitMs.p99)}`]] : []),
    ...(workMs ? [['Work', `p50 ${short(workMs.p50)}, p99 ${short(workMs.p99)}`]] : []),
    ...(lastMinute
      ? [['Last minute', minute(lastMinute), lastMinute.refused + lastMinute.failed > 0 ? 'bad' : '']]
      : []),
    pods,
    ...(oldSince === undefined
      ? []
      : [['Numbers', `${age(at - Date.parse(oldSince))} old: the queue filter is not connected`, 'bad']]),
  ];
}

/** Who holds the slots that several Envoys share. */
function heldBy({ shared }) {
  if (shared === undefined) return [];
  const old = shared.oldSince === undefined ? '' : ' (as the coordinator told last)';
  const held = shared.held.map(({ node, slots }) => `${node} ${slots}`).join(', ') + old;
  if (shared.missing === 0) return [['Held by', held]];
  return [['Held by', `${held}; ${many(shared.missing, 'slot')} missing: ${shared.why.join(', ')}`, 'bad']];
}

function minute({
  arrived,
  answered,
  failed,
  refused,
  waitTimeouts,
  workTimeouts,
  abandonedWaiting,
  abandonedWorking,
  unserved,
  retried,
}) {
  const parts = [
    [arrived, 'came'],
    [answered, 'answered'],
    [failed, 'failed'],
    [refused, 'refused'],
    [waitTimeouts, 'waited too long'],
    [workTimeouts, 'worked too long'],
    [abandonedWaiting + abandonedWorking, 'given up by their client'],
    [unserved, 'not served'],
    [retried, 'sent to another pod'],
  ];
  return (
    parts.flatMap(([count, what]) => (count > 0 ? [`${count.toLocaleString('en')} ${what}`] : [])).join(', ') ||
    'no request'
  );
}

/** Leads to the form that says which route takes a request, and why. */
function explainLink({ listeners }, [route]) {
  if (route === undefined) return ['No route leads here.'];
  const host =
    route.hosts[0]?.replace('*.', 'any.') ?? listeners[0]?.address.replace('0.0.0.0', 'localhost') ?? 'localhost';
  const scheme = listeners[0]?.tls ? 'https' : 'http';
  const path = /\/\S*/.exec(route.path)?.[0] ?? '/';
  const url = `${scheme}://${host}${path}`;
  const link = element('a', '', `Why ${url} comes here`);
  link.href = `#routes/${encodeURIComponent(url)}`;
  return [link];
}
