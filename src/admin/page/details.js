import { Chart } from './chart.js';
import { element, setText, short } from './text.js';

/** A sample comes every 5 s. */
const REFRESH_MS = 5000;

const perSecond = (value) => `${value < 10 ? value.toFixed(1) : Math.round(value)}/s`;
const whole = (value) => String(Math.round(value));

/** What an opened service shows: the last 15 minutes, and where its pods come from. */
export class Details {
  constructor(name) {
    this.name = name;
    this.throughput = new Chart('Throughput', perSecond, [
      { name: 'ended', className: 'a', area: true, read: ({ ended }) => ended / 5 },
      { name: 'refused', className: 'bad', read: ({ refused }) => (refused > 0 ? refused / 5 : undefined) },
    ]);
    this.wait = new Chart('Wait', short, [
      { name: 'p99', className: 'b', read: ({ waitMs }) => waitMs?.p99 },
      { name: 'p50', className: 'b soft', read: ({ waitMs }) => waitMs?.p50 },
    ]);
    this.held = new Chart('Line and slots', whole, [
      { name: 'waiting', className: 'b', area: true, read: ({ waiting }) => waiting },
      { name: 'in use', className: 'a', read: ({ inUse }) => inUse },
    ]);
    this.facts = element('p', 'facts');
    const charts = element('div', 'charts', this.throughput.root, this.wait.root, this.held.root);
    this.root = element('div', 'details', charts, this.facts);
    this.fetch();
    this.timer = setInterval(() => this.fetch(), REFRESH_MS);
  }

  /** Ends its timer and goes. */
  close() {
    clearInterval(this.timer);
    this.root.remove();
  }

  update(view) {
    setText(this.facts, facts(view));
  }

  async fetch() {
    if (document.hidden) return;
    try {
      const response = await fetch(`history?service=${encodeURIComponent(this.name)}`);
      if (!response.ok) return;
      const samples = await response.json();
      for (const chart of [this.throughput, this.wait, this.held]) chart.draw(samples);
    } catch {
      // The connection's state is shown above; the charts stay as they are.
    }
  }
}

function facts({ kind, queue, lastMinute, source, desiredPods, retried = 0, maxRequests }) {
  const { kind: from, target, state, since } = source;
  const { waitMs, workMs } = lastMinute ?? {};
  return [
    ...(waitMs ? [`wait p50 ${short(waitMs.p50)}, p99 ${short(waitMs.p99)}`] : []),
    ...(workMs ? [`work p50 ${short(workMs.p50)}, p99 ${short(workMs.p99)}`] : []),
    kind === 'limited' ? `at most ${queue.max.toLocaleString('en')} may wait` : `at most ${maxRequests} in flight`,
    ...(queue?.timeoutMs > 0 ? [`for ${short(queue.timeoutMs)}`] : []),
    ...(desiredPods === undefined ? [] : [`would fill ${desiredPods} pods`]),
    ...(retried > 0 ? [`${retried} retried`] : []),
    `pods from ${from} ${target}: ${state}${since === undefined ? '' : ` since ${new Date(since).toLocaleTimeString()}`}`,
  ].join(' · ');
}
