import { Charts } from './charts.js';
import { Row } from './row.js';
import { many, setText } from './text.js';

const byId = (id) => document.getElementById(id);

/** Rows change their places only so often, and never under somebody's hand. */
const SORT_MS = 2000;
/** With more services a row is one line. */
const MANY = 12;
/** With so few services the charts of the first one are shown from the start. */
const FEW = 3;

const order = {
  trouble: ({ trouble, oldestWaitMs = 0 }) => trouble * 1e12 + oldestWaitMs,
  wait: ({ oldestWaitMs = 0, waiting = 0 }) => oldestWaitMs + (waiting > 0 ? 1 : 0),
  waiting: ({ waiting = 0 }) => waiting,
  busy: ({ inUse = 0 }) => inUse,
  refused: ({ lastMinute }) => lastMinute?.refused ?? 0,
  name: () => 0,
};

/** All services, a row each. */
export class ServicesView {
  constructor() {
    this.rows = new Map();
    this.list = byId('services');
    this.sortedAt = 0;
    this.input = byId('search');
    this.sort = byId('sort');
    this.input.addEventListener('input', () => this.arrange(true));
    this.sort.addEventListener('change', () => this.arrange(true));
  }

  /** Draws these services. */
  update(views, isFirst) {
    const names = new Set(views.map(({ name }) => name));
    for (const [name, { root }] of this.rows) {
      if (names.has(name)) continue;
      root.remove();
      this.rows.delete(name);
    }
    for (const view of views) this.row(view.name).update(view);
    document.body.classList.toggle('compact', views.length > MANY);
    this.showCharts(views);
    this.arrange(isFirst);
  }

  /** Looks for this. */
  search(text) {
    this.input.value = text;
    this.input.blur();
    this.arrange(true);
  }

  row(name) {
    let row = this.rows.get(name);
    if (row === undefined) {
      row = new Row(name);
      this.rows.set(name, row);
      this.list.append(row.root);
    }
    return row;
  }

  showCharts(views) {
    const first = views.length <= FEW ? views.find(({ kind }) => kind === 'limited') : undefined;
    if (first?.name === this.charts?.name) return;
    this.charts?.close();
    this.charts = first && new Charts(first.name);
    if (this.charts) this.row(first.name).root.append(this.charts.root);
  }

  /** Shows what is searched for, in the order that is asked for. */
  arrange(immediately) {
    this.filter();
    const now = performance.now();
    const held = this.list.matches(':hover') || this.list.contains(document.activeElement);
    if (!immediately && (held || now - this.sortedAt < SORT_MS)) return;
    this.sortedAt = now;
    const key = order[this.sort.value];
    const sorted = [...this.rows.values()].sort((a, b) => key(b.view) - key(a.view) || (a.name < b.name ? -1 : 1));
    // Only rows that are not in their place are moved: what is being read stays where it is.
    sorted.forEach((row, index) => {
      if (this.list.children[index] !== row.root) this.list.insertBefore(row.root, this.list.children[index] ?? null);
    });
  }

  filter() {
    const words = this.input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const { root, text } of this.rows.values()) {
      const found = words.every((word) => text.includes(word));
      root.hidden = !found;
      if (found) shown += 1;
    }
    const all = many(this.rows.size, 'service');
    setText(byId('count'), shown === this.rows.size ? all : `${shown} of ${all}`);
    byId('empty').hidden = shown > 0;
    const nothing = this.rows.size === 0 ? 'There is no service yet.' : 'No service or pod has this name.';
    setText(byId('empty'), nothing);
  }
}
