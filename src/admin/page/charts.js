import { Chart } from './chart.js';
import { element, short } from './text.js';

/** A sample comes every 5 s. */
const REFRESH_MS = 5000;

const perSecond = (value) => `${value < 10 ? value.toFixed(1) : Math.round(value)}/s`;
const whole = (value) => String(Math.round(value));

/** The last 15 minutes of a service. */
export class Charts {
  constructor(name) {
    this.name = name;
    this.charts = [
      new Chart('Most at a time', whole, [
        { name: 'waiting', className: 'b', area: true, read: ({ mostWaiting }) => mostWaiting },
        { name: 'in use', className: 'a', read: ({ mostInUse }) => mostInUse },
        { name: 'slots', className: 'c', read: ({ slots }) => slots },
      ]),
      new Chart('Wait', short, [
        { name: 'p99', className: 'b', read: ({ waitP99 }) => waitP99 },
        { name: 'p50', className: 'b soft', read: ({ waitP50 }) => waitP50 },
      ]),
      new Chart('Requests', perSecond, [
        { name: 'ended', className: 'a', area: true, read: ({ ended }) => ended / 5 },
        { name: 'refused', className: 'bad', read: ({ refused }) => (refused > 0 ? refused / 5 : undefined) },
        { name: 'failed', className: 'bad soft', read: ({ failed }) => (failed > 0 ? failed / 5 : undefined) },
      ]),
    ];
    this.root = element('div', 'charts', ...this.charts.map(({ root }) => root));
    this.fetch();
    this.timer = setInterval(() => this.fetch(), REFRESH_MS);
  }

  /** Ends its timer and goes. */
  close() {
    clearInterval(this.timer);
    this.root.remove();
  }

  async fetch() {
    if (document.hidden) return;
    try {
      const response = await fetch(`history?service=${encodeURIComponent(this.name)}`);
      if (!response.ok) return;
      const samples = await response.json();
      for (const chart of this.charts) chart.draw(samples);
    } catch {
      // The connection's state is shown above; the charts stay as they are.
    }
  }
}
