import { remember } from '../base/remember.ts';
import { OUTCOMES, type Outcome } from '../telemetry/counts.ts';
import type { RequestEvent } from '../telemetry/service-traffic.ts';
import type { TrafficListener } from '../telemetry/traffic.ts';
import { BucketCounts, exposition, type Family, label, series } from './exposition.ts';

/** From a request that does not wait to one that waits half an hour; few, since every service has a series of each. */
const BUCKETS = [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 1800];

type During = 'wait' | 'work';
const DURING: readonly During[] = ['wait', 'work'];

/** What is counted of one service. */
class ServiceCounters {
  readonly requests = new Map<Outcome, number>(OUTCOMES.map((outcome) => [outcome, 0]));
  readonly timedOut = new Map<During, number>(DURING.map((during) => [during, 0]));
  readonly wait = new BucketCounts(BUCKETS);
  readonly work = new BucketCounts(BUCKETS);
  retried = 0;
}

/** Metrics of the requests, counted as Envoy tells of them. */
export class TrafficMetrics implements TrafficListener {
  readonly #services = new Map<string, ServiceCounters>();

  ended({ service, outcome, waitMs, durationMs, standsFor }: Extract<RequestEvent, { kind: 'ended' }>): void {
    const { requests, wait, work } = this.#of(service);
    requests.set(outcome, (requests.get(outcome) ?? 0) + standsFor);
    if (waitMs === undefined) return;
    wait.observe(waitMs / 1000, standsFor);
    if (outcome === 'answered') work.observe(Math.max(0, durationMs - waitMs) / 1000, standsFor);
  }

  timedOut(service: string, during: During): void {
    const { timedOut } = this.#of(service);
    timedOut.set(during, (timedOut.get(during) ?? 0) + 1);
  }

  retried(service: string, count: number): void {
    this.#of(service).retried += count;
  }

  /** These services have their series from the start, and others none any more: series must not pile up. */
  keep(services: ReadonlySet<string>): void {
    for (const service of services) this.#of(service);
    for (const service of this.#services.keys()) if (!services.has(service)) this.#services.delete(service);
  }

  /** In Prometheus' text format. */
  text(): string {
    return exposition([this.#requests(), this.#timedOut(), this.#retried(), ...this.#durations()]);
  }

  #of(service: string): ServiceCounters {
    return remember(this.#services, service, () => new ServiceCounters());
  }

  #requests(): Family {
    const name = 'sluice_requests_total';
    const help =
      'Requests that ended: answered, failed (a status from 500 on), refused (the line was full), timed out (services without a limit), abandoned by their client.';
    const lines = this.#lines(({ requests }, service) =>
      [...requests].map(([outcome, count]) => series(name, `${service},${label('outcome', outcome)}`, count)),
    );
    return { name, type: 'counter', help, lines };
  }

  #timedOut(): Family {
    const name = 'sluice_requests_timed_out_total';
    const help =
      'Requests that were given up: while they waited (queue.timeout), or while a pod worked on them (timeout.request).';
    const lines = this.#lines(({ timedOut }, service) =>
      [...timedOut].map(([during, count]) => series(name, `${service},${label('during', during)}`, count)),
    );
    return { name, type: 'counter', help, lines };
  }

  #retried(): Family {
    const name = 'sluice_requests_retried_total';
    const help =
      'Times a request was sent to a pod again, since the pod before could not be reached and had not seen it.';
    return {
      name,
      type: 'counter',
      help,
      lines: this.#lines(({ retried }, service) => [series(name, service, retried)]),
    };
  }

  #durations(): readonly Family[] {
    const histogram = (what: 'wait' | 'work', help: string): Family => {
      const name = `sluice_${what}_seconds`;
      // Services that nobody asks for anything would be most of all series.
      const lines = this.#lines(({ [what]: counts }, service) => (counts.count > 0 ? counts.lines(name, service) : []));
      return { name, type: 'histogram', help, lines };
    };
    return [
      histogram('wait', 'Time from the arrival of a request until it got its slot; counted when the request ends.'),
      histogram(
        'work',
        'Time from the slot to the last byte of the answer, of requests answered with a status below 500.',
      ),
    ];
  }

  #lines(of: (counters: ServiceCounters, service: string) => readonly string[]): readonly string[] {
    return [...this.#services].flatMap(([name, counters]) => of(counters, label('service', name)));
  }
}
