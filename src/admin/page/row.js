import { Details } from './details.js';
import { Pods } from './pods.js';
import { element, many, setText, short } from './text.js';

/** More who wait are a number. */
const MOST_DOTS = 60;

/** One service: the line in front, the gate, the pods. */
export class Row {
  constructor(name) {
    this.name = name;
    this.root = element('article', 'row');
    this.root.dataset.service = name;
    this.title = element('button', 'name', name);
    this.title.type = 'button';
    this.title.setAttribute('aria-expanded', 'false');
    this.title.addEventListener('click', () => this.toggle());
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
      element('div', 'head', element('h2', '', this.title), this.about),
      element(
        'div',
        'line',
        element('p', 'who', this.waiting, this.oldest),
        element('div', 'queue', this.plus, this.dots),
      ),
      element('div', 'gate'),
      element('div', 'work', this.pods.root),
      element('div', 'sums', this.inUse, this.numbers),
    );
  }

  /** Draws what is true at `now` (milliseconds since the epoch). */
  update(view, now) {
    this.view = view;
    this.text = `${view.name} ${view.pods.map(([address]) => address).join(' ')}`.toLowerCase();
    const { waiting = 0, oldestWaitMs, slots, requestsInProgress, queue } = view;
    setText(this.about, about(view));
    setText(this.waiting, view.kind === 'limited' ? `${view.waiting?.toLocaleString('en') ?? '?'} waiting` : 'no line');
    setText(this.oldest, oldestWaitMs === undefined ? '' : `oldest ${short(oldestWaitMs)}`);
    this.root.classList.toggle('waits', waiting > 0);
    this.root.classList.toggle('full', waiting > 0 && waiting >= queue?.max);
    this.root.classList.toggle('trouble', troubled(view));
    this.drawDots(waiting);
    this.pods.update(view.pods, view.limit);
    const used = requestsInProgress ?? '?';
    setText(this.inUse, view.kind === 'limited' ? `${used} / ${slots}` : `${used}`);
    setText(this.numbers, numbers(view));
    this.details?.update(view, now);
  }

  /** Opens or closes the charts. */
  toggle() {
    const open = this.details === undefined;
    this.title.setAttribute('aria-expanded', String(open));
    this.root.classList.toggle('open', open);
    if (!open) {
      this.details.close();
      this.details = undefined;
      return;
    }
    this.details = new Details(this.name);
    this.root.append(this.details.root);
    if (this.view !== undefined) this.details.update(this.view);
  }

  drawDots(waiting) {
    const wanted = Math.min(waiting, MOST_DOTS);
    while (this.dots.childElementCount > wanted) this.dots.lastChild.remove();
    while (this.dots.childElementCount < wanted) this.dots.append(element('i', 'dot'));
    setText(this.plus, waiting > wanted ? `+${(waiting - wanted).toLocaleString('en')}` : '');
  }
}

function about({ kind, limit, balance, protocol, pods, ejected = 0, inForce }) {
  if (!inForce) return 'not in force yet';
  const draining = pods.filter(([, state]) => state === 'draining').length;
  const rule = kind === 'limited' ? `limit ${limit}` : balance.replaceAll('_', ' ');
  return [
    rule,
    ...(protocol === 'h2c' ? ['h2c'] : []),
    many(pods.length - draining, 'pod'),
    ...(draining > 0 ? [`${draining} draining`] : []),
    ...(ejected > 0 ? [`${ejected} ejected`] : []),
  ].join(' · ');
}

function troubled({ pods, ejected = 0, source, lastMinute, inForce }) {
  const ready = pods.filter(([, state]) => state !== 'draining').length;
  return !inForce || ready <= ejected || source.state !== 'ready' || (lastMinute?.refused ?? 0) > 0;
}

function numbers({ lastMinute }) {
  if (lastMinute === undefined) return '';
  const { answered, failed, refused, timedOut, waitMs } = lastMinute;
  return [
    `${answered + failed + timedOut} in the last minute`,
    ...(waitMs === undefined ? [] : [`wait p99 ${short(waitMs.p99)}`]),
    ...(refused > 0 ? [`${refused} refused`] : []),
    ...(failed > 0 ? [`${failed} failed`] : []),
    ...(timedOut > 0 ? [`${timedOut} timed out`] : []),
  ]
    .map((text) => text.replaceAll(' ', '\u00a0'))
    .join(' · ');
}
