import { Counter, Histogram, type Registry } from 'prom-client';
import type { RequestEvent } from './service-traffic.ts';
import type { TrafficListener } from './traffic.ts';

/** From a request that does not wait to one that waits half an hour; few, since every service has a series of each. */
const BUCKETS = [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 1800];
const OUTCOMES = ['answered', 'failed', 'refused', 'timed out', 'abandoned'] as const;

/** Metrics of the requests, counted as Envoy tells of them. */
export class TrafficMetrics implements TrafficListener {
  readonly #wait: Histogram<'service'>;
  readonly #work: Histogram<'service'>;
  readonly #requests: Counter<'service' | 'outcome'>;
  readonly #timedOut: Counter<'service' | 'during'>;
  readonly #retried: Counter<'service'>;
  #known: ReadonlySet<string> = new Set();

  constructor(registry: Registry) {
    const perService = { labelNames: ['service'] as const, registers: [registry] };
    this.#wait = new Histogram({
      name: 'sluice_wait_seconds',
      help: 'Time from the arrival of a request until it got its slot; counted when the request ends.',
      buckets: BUCKETS,
      ...perService,
    });
    this.#work = new Histogram({
      name: 'sluice_work_seconds',
      help: 'Time from the slot to the last byte of the answer, of requests answered with a status below 500.',
      buckets: BUCKETS,
      ...perService,
    });
    this.#requests = new Counter({
      name: 'sluice_requests_total',
      help: 'Requests that ended: answered, failed (a status from 500 on), refused (the line was full), timed out (services without a limit), abandoned by their client.',
      labelNames: ['service', 'outcome'],
      registers: [registry],
    });
    this.#timedOut = new Counter({
      name: 'sluice_requests_timed_out_total',
      help: 'Requests that were given up: while they waited (queue.timeout), or while a pod worked on them (timeout.request).',
      labelNames: ['service', 'during'],
      registers: [registry],
    });
    this.#retried = new Counter({
      name: 'sluice_requests_retried_total',
      help: 'Times a request was sent to a pod again, since the pod before could not be reached and had not seen it.',
      ...perService,
    });
  }

  ended({ service, outcome, waitMs, durationMs }: Extract<RequestEvent, { kind: 'ended' }>): void {
    this.#requests.inc({ service, outcome });
    if (waitMs === undefined) return;
    this.#wait.observe({ service }, waitMs / 1000);
    if (outcome === 'answered') this.#work.observe({ service }, Math.max(0, durationMs - waitMs) / 1000);
  }

  timedOut(service: string, during: 'wait' | 'work'): void {
    this.#timedOut.inc({ service, during });
  }

  retried(service: string, count: number): void {
    if (count > 0) this.#retried.inc({ service }, count);
  }

  /** Every service has all its series from the start, and none when it is gone: series must not pile up. */
  keep(services: ReadonlySet<string>): void {
    for (const service of services) if (!this.#known.has(service)) this.#startAtZero(service);
    for (const service of this.#known) if (!services.has(service)) this.#remove(service);
    this.#known = services;
  }

  #startAtZero(service: string): void {
    for (const outcome of OUTCOMES) this.#requests.inc({ service, outcome }, 0);
    for (const during of ['wait', 'work']) this.#timedOut.inc({ service, during }, 0);
    this.#retried.inc({ service }, 0);
  }

  #remove(service: string): void {
    for (const outcome of OUTCOMES) this.#requests.remove({ service, outcome });
    for (const during of ['wait', 'work']) this.#timedOut.remove({ service, during });
    this.#retried.remove({ service });
    this.#wait.remove({ service });
    this.#work.remove({ service });
  }
}
