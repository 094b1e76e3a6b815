import { element, setAttribute, setText } from './text.js';

/** With more slots than this a pod is drawn as a bar. */
const MOST_BOXES = 16;

/** The pods of a service: each with its slots. */
export class Pods {
  constructor() {
    this.root = element('div', 'pods');
    this.pods = new Map();
    this.limit = undefined;
  }

  /** Draws `pods` ([address, state, in progress]), each with `limit` slots; undefined: they have none. */
  update(pods, limit) {
    if (limit !== this.limit) {
      for (const { root } of this.pods.values()) root.remove();
      this.pods.clear();
      this.limit = limit;
    }
    const present = new Set(pods.map(([address]) => address));
    for (const [address, { root }] of this.pods) {
      if (present.has(address)) continue;
      root.remove();
      this.pods.delete(address);
    }
    pods.forEach(([address, state, held], index) => {
      const pod = this.pods.get(address) ?? this.add(address, index);
      pod.update(state, held, limit);
    });
    if (pods.length === 0) setText(this.root, 'no pods');
    else if (this.root.firstChild?.nodeType === Node.TEXT_NODE) this.root.firstChild.remove();
  }

  add(address, index) {
    const pod = drawing(address, this.limit);
    // In the order of the addresses, as they come.
    this.root.insertBefore(pod.root, this.root.children[index] ?? null);
    this.pods.set(address, pod);
    return pod;
  }
}

function drawing(address, limit) {
  if (limit === undefined) return count(address);
  return limit > MOST_BOXES ? bar(address) : boxes(address, limit);
}

function boxes(address, limit) {
  const slots = Array.from({ length: limit }, () => element('i', 'slot'));
  const root = podElement('pod boxes', ...slots);
  return {
    root,
    update(state, held) {
      for (const [index, slot] of slots.entries()) slot.classList.toggle('full', index < (held ?? 0));
      label(root, { address, state, held, limit });
    },
  };
}

function bar(address) {
  const fill = element('i', 'fill');
  const text = element('span', 'number');
  const root = podElement('pod bar', fill, text);
  return {
    root,
    update(state, held, limit) {
      fill.style.width = `${Math.min(100, ((held ?? 0) / limit) * 100)}%`;
      setText(text, `${held ?? '?'} / ${limit}`);
      label(root, { address, state, held, limit });
    },
  };
}

function count(address) {
  const text = element('span', 'number');
  const root = podElement('pod plain', text);
  return {
    root,
    update(state, held) {
      setText(text, String(held ?? '?'));
      root.classList.toggle('busy', (held ?? 0) > 0);
      label(root, { address, state, held });
    },
  };
}

function podElement(className, ...children) {
  const root = element('span', className, ...children);
  root.setAttribute('role', 'img');
  return root;
}

function label(root, { address, state, held, limit }) {
  const load = held === null ? 'load not known' : `${held}${limit === undefined ? '' : ` of ${limit}`} in use`;
  const text = `${address}: ${load}${state === 'ready' ? '' : `, ${state}`}`;
  root.classList.toggle('draining', state === 'draining');
  root.classList.toggle('ejected', state === 'ejected');
  root.classList.toggle('over', limit !== undefined && held > limit);
  setAttribute(root, 'title', text);
  setAttribute(root, 'aria-label', text);
}
