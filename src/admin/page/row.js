import { Pods } from './pods.js';
import { element, many, setText, short } from './text.js';

/** More that wait are a number. */
const MOST_DOTS = 60;

/** One service: the queue in front, the pods behind it. */
export class Row {
  constructor(name) {
    this.name = name;
    this.root = element('article', 'row');
    this.root.dataset.service = name;
    this.title = element('a', 'name', name);
    this.title.href = `#service/${encodeURIComponent(name)}`;
    this.about = element('p', 'kind');
    this.plus = element('span', 'plus');
    this.dots = element('div', 'dots');
    this.dots.setAttribute('aria-hidden', 'true');
    this.waiting = element('strong', 'waiting');
    this.oldest = element('span', 'oldest');
    this.pods = new Pods();
    this.inUse = element('strong', 'in-use');
    this.numbers = element('p', 'numbers');
    this.root.append(
      element('div', 'head', element('h3', '', this.title), this.about),
      element(
        'div',
        'queue',
        element('p', 'who', this.waiting, this.oldest),
        element('div', 'waiters', this.plus, this.dots),
      ),
      element('div', 'edge'),
      element('div', 'work', this.pods.root),
      element('div', 'sums', this.inUse, this.numbers),
    );
  }

  /** Draws what is true now. */
  update(view) {
    if (view === this.view) return;
    this.view = view;
    this.text =
      `${view.name} ${view.pods.map(([address, , , , , , , name = '']) => `${address} ${name}`).join(' ')}`.toLowerCase();
    const { kind, waiting = 0, oldestWaitMs, slots, inUse, queue, trouble, oldSince } = view;
    const isLimited = kind === 'limited';
    setText(this.about, about(view));
    setText(this.waiting, isLimited ? `${view.waiting?.toLocaleString('en') ?? '?'} waiting` : 'no queue');
    setText(this.oldest, oldestWaitMs === undefined ? '' : `oldest ${short(oldestWaitMs)}`);
    const { classList } = this.root;
    classList.toggle('waits', waiting > 0);
    classList.toggle('full', waiting > 0 && waiting >= queue?.max);
    classList.toggle('trouble', trouble >= 2);
    classList.toggle('bad', trouble >= 5);
    classList.toggle('outdated', oldSince !== undefined);
    this.drawDots(waiting);
    this.pods.update(view.pods, view.limit);
    setText(this.inUse, isLimited ? `${inUse ?? '?'} / ${slots}` : '');
    setText(this.numbers, numbers(view));
  }

  drawDots(waiting) {
    const wanted = Math.min(waiting, MOST_DOTS);
    while (this.dots.childElementCount > wanted) this.dots.lastChild.remove();
    while (this.dots.childElementCount < wanted) this.dots.append(element('i', 'dot'));
    setText(this.plus, waiting > wanted ? `+${(waiting - wanted).toLocaleString('en')}` : '');
  }
}

/** A service's rule and pods in words. */
export function about({ kind, limit, balance, protocol, pods, active, paused }) {
  if (!active) return 'not active yet';
  if (paused) return `paused by ${paused.by}`;
  const rule = kind === 'limited' ? `limit ${limit}` : balance.replaceAll('_', ' ');
  const states = ['draining', 'ejected', 'trying', 'unhealthy'].flatMap((state) => {
    const count = pods.filter(([, is]) => is === state).length;
    return count > 0 ? [`${count} ${state}`] : [];
  });
  const ready = pods.filter(([, state]) => state === 'ready').length;
  const isPlain = states.length === 0;
  return [
    rule,
    ...(protocol === 'h2c' ? ['h2c'] : []),
    isPlain ? many(pods.length, 'pod') : `${ready} ready`,
    ...states,
  ].join(' · ');
}

function numbers({ lastMinute, oldSince, kind }) {
  if (oldSince !== undefined) return `numbers of ${new Date(oldSince).toLocaleTimeString()}`;
  if (lastMinute === undefined) return kind === 'limited' ? '' : 'counted by Envoy';
  const { arrived, failed, refused, waitTimeouts, workTimeouts, waitMs } = lastMinute;
  const timedOut = waitTimeouts + workTimeouts;
  return [
    `${arrived.toLocaleString('en')} in the last minute`,
    ...(waitMs === undefined ? [] : [`wait p99 ${short(waitMs.p99)}`]),
    ...(refused > 0 ? [`${refused} refused`] : []),
    ...(failed > 0 ? [`${failed} failed`] : []),
    ...(timedOut > 0 ? [`${timedOut} timed out`] : []),
  ]
    .map((text) => text.replaceAll(' ', '\u00a0'))
    .join(' · ');
}
