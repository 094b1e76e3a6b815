import { element, setAttribute, setText } from './text.js';

/** With more slots than this a pod is drawn as a bar. */
const MOST_BOXES = 16;
/** More pods than these are a number. */
const MOST_PODS = 120;

/** The pods of a service: each with its slots. One picture with a text; the own view of a service has a table of them. */
export class Pods {
  constructor() {
    this.root = element('div', 'pods');
    this.root.setAttribute('role', 'img');
    this.more = element('span', 'more');
    this.pods = new Map();
    this.limit = undefined;
  }

  /** Draws `pods` (see `PodView`), each with `limit` slots; undefined: they have none. */
  update(pods, limit) {
    if (limit !== this.limit) {
      for (const { root } of this.pods.values()) root.remove();
      this.pods.clear();
      this.limit = limit;
    }
    const shown = pods.slice(0, MOST_PODS);
    const present = new Set(shown.map(([address]) => address));
    for (const [address, { root }] of this.pods) {
      if (present.has(address)) continue;
      root.remove();
      this.pods.delete(address);
    }
    shown.forEach(([address, state, inUse, , , , , name], index) => {
      const pod = this.pods.get(address) ?? this.add(address, index);
      pod.update(state, inUse, limit);
      if (name) pod.root.title = `${name}, ${pod.root.title}`;
    });
    const rest = pods.length - shown.length;
    setText(this.more, pods.length === 0 ? 'no pods' : rest > 0 ? `+${rest}` : '');
    if (this.more.textContent === '') this.more.remove();
    else this.root.append(this.more);
    setAttribute(this.root, 'aria-label', summary(pods));
  }

  add(address, index) {
    const pod = drawing(address, this.limit);
    // In the order of the addresses, as they come.
    this.root.insertBefore(pod.root, this.root.children[index] ?? null);
    this.pods.set(address, pod);
    return pod;
  }
}

function summary(pods) {
  const counts = Map.groupBy(pods, ([, state]) => state);
  return pods.length === 0 ? 'no pods' : [...counts].map(([state, of]) => `${of.length} ${state}`).join(', ');
}

function drawing(address, limit) {
  if (limit === undefined) return plain(address);
  return limit > MOST_BOXES ? bar(address) : boxes(address, limit);
}

function boxes(address, limit) {
  const slots = Array.from({ length: limit }, () => element('i', 'slot'));
  const root = element('span', 'pod boxes', ...slots);
  return {
    root,
    update(state, inUse) {
      for (const [index, slot] of slots.entries()) slot.classList.toggle('full', index < (inUse ?? 0));
      look(root, { address, state, inUse, limit });
    },
  };
}

function bar(address) {
  const fill = element('i', 'fill');
  const text = element('span', 'number');
  const root = element('span', 'pod bar', fill, text);
  return {
    root,
    update(state, inUse, limit) {
      fill.style.width = `${share(inUse, limit)}%`;
      setText(text, `${inUse ?? '?'} / ${limit}`);
      look(root, { address, state, inUse, limit });
    },
  };
}

function plain(address) {
  const root = element('span', 'pod plain');
  return { root, update: (state, inUse) => look(root, { address, state, inUse }) };
}

function share(inUse, limit) {
  return Math.min(100, ((inUse ?? 0) / limit) * 100);
}

/** What a pod is drawn as; in a compact row only how full it is. */
function look(root, { address, state, inUse, limit }) {
  const load = limit === undefined ? '' : inUse === null ? ', load not known' : `, ${inUse} of ${limit} in use`;
  for (const one of ['draining', 'ejected', 'trying', 'unhealthy']) root.classList.toggle(one, state === one);
  root.classList.toggle('over', limit !== undefined && inUse > limit);
  root.style.setProperty('--used', limit === undefined ? '0%' : `${share(inUse, limit)}%`);
  root.title = `${address}: ${state}${load}`;
}
