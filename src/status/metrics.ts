import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { gauges } from './gauges.ts';
import { type AskingSource, type SourceEvent, SourceMetrics } from './source-metrics.ts';
import type { Status } from './status.ts';
import { trafficMetrics } from './traffic-metrics.ts';
import { XdsMetrics, type XdsTraffic } from './xds-metrics.ts';

/** Metrics of Node's that break Prometheus' naming rules: gauges that are called `_total`. */
const MISNAMED = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total'];

/**
 * Node's statistics of the event loop's delay need a timer that fires all the time: every 10 ms it would be 0.4 % of a
 * core (run), and more than all that Sluice does while nobody asks anything. The delay at the moment of a scrape stays.
 */
const LAGS = ['min', 'max', 'mean', 'stddev', 'p50', 'p90', 'p99'].map((one) => `nodejs_eventloop_lag_${one}_seconds`);
const NEVER_MS = 2 ** 31 - 1;

/** All metrics of one control plane, in a registry of their own, with those of its process. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #telemetry: Pick<Telemetry, 'totals'>;
  readonly #xds = new XdsMetrics(this.#registry);
  readonly #sources = new SourceMetrics(this.#registry);
  readonly #statuses: Counter<'result'>;
  readonly #reloads: Counter<'result'>;
  readonly #lastReload: Gauge;

  /** `telemetry`: what counts the requests. */
  constructor({ version, telemetry }: { readonly version: string; readonly telemetry: Pick<Telemetry, 'totals'> }) {
    this.#telemetry = telemetry;
    const registers = [this.#registry];
    new Gauge({
      name: 'sluice_build_info',
      help: 'Always 1; its label tells which Sluice this is.',
      labelNames: ['version'],
      registers,
    }).set({ version }, 1);
    this.#reloads = new Counter({
      name: 'sluice_route_file_reloads_total',
      help: 'How often the route file was read with another outcome than before, the start included.',
      labelNames: ['result'],
      registers,
    });
    for (const result of ['success', 'failure']) this.#reloads.inc({ result }, 0);
    this.#statuses = new Counter({
      name: 'sluice_object_status_writes_total',
      help: 'Statuses of Kubernetes objects that were written, by what came of it: changed, same (the object had it all), failed.',
      labelNames: ['result'],
      registers,
    });
    for (const result of ['changed', 'same', 'failed']) this.#statuses.inc({ result }, 0);
    this.#lastReload = new Gauge({
      name: 'sluice_route_file_last_reload_success_timestamp_seconds',
      help: 'When the route file last changed and could be used, as Unix time.',
      registers,
    });
    collectDefaultMetrics({ register: this.#registry, eventLoopMonitoringPrecision: NEVER_MS });
    for (const name of [...MISNAMED, ...LAGS]) this.#registry.removeSingleMetric(name);
  }

  /** Counts an event on an xDS stream. */
  recordXdsEvent(event: XdsTraffic): void {
    this.#xds.record(event);
  }

  /** Takes the seconds from a publication until all Envoys had it; see `followConvergence`. */
  recordConvergence(seconds: number): void {
    this.#xds.recordConvergence(seconds);
  }

  /** Counts a change of the route file: what it is `state` now, `at` in milliseconds since the epoch. */
  recordRouteFile({ kind }: { readonly kind: 'pending' | 'ready' | 'stale' }, at: number): void {
    const result = kind === 'ready' ? 'success' : 'failure';
    this.#reloads.inc({ result });
    if (result === 'success') this.#lastReload.set(at / 1000);
  }

  /** Counts what happened between a source of pods and whom it asks. */
  recordSourceEvent(source: AskingSource, event: SourceEvent): void {
    this.#sources.record(source, event);
  }

  /** Counts what came of a write of an object's status. */
  recordStatusWrite(result: 'changed' | 'same' | 'failed'): void {
    this.#statuses.inc({ result });
  }

  /** The media type of `text`. */
  get contentType(): string {
    return this.#registry.contentType;
  }

  /** Everything as Prometheus reads it; gauges tell what `status` says. */
  async text(status: Status): Promise<string> {
    // Services without a limit are counted by Envoy alone.
    const limited = status.services.filter(({ kind }) => kind === 'limited').map(({ name }) => name);
    const traffic = trafficMetrics(this.#telemetry, limited);
    return [await this.#registry.metrics(), gauges(status), traffic].join('\n');
  }
}
