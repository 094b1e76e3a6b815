import { Counter, Histogram, type Registry } from 'prom-client';
import { PUSH_ORDER } from '../snapshot/resource.ts';
import { shortType } from './describe-node.ts';

/** What the metrics need of an event on an xDS stream. */
export type XdsTraffic =
  | { readonly kind: 'sent'; readonly typeUrl: string; readonly bytes: number }
  | { readonly kind: 'acked' | 'nacked' | 'asked'; readonly typeUrl: string }
  | { readonly kind: 'connected' | 'holds' | 'disconnected' | 'alive' | 'limited' | 'refused' };

const KNOWN = new Map<string, string>(PUSH_ORDER.map((typeUrl) => [typeUrl, shortType(typeUrl)]));

/** A client may ask for any type it makes up: those that do not exist share one label. */
function typeLabel(typeUrl: string): { readonly type: string } {
  return { type: KNOWN.get(typeUrl) ?? 'other' };
}

/** Counts what goes over the xDS streams. */
export class XdsMetrics {
  readonly #pushes: Counter<'type'>;
  readonly #bytes: Histogram<'type'>;
  readonly #acks: Counter<'type'>;
  readonly #nacks: Counter<'type'>;
  readonly #refused: Counter;
  readonly #convergence: Histogram;

  constructor(registry: Registry) {
    const perType = { labelNames: ['type'] as const, registers: [registry] };
    this.#pushes = new Counter({ name: 'sluice_xds_pushes_total', help: 'Responses sent to Envoys.', ...perType });
    this.#bytes = new Histogram({
      name: 'sluice_xds_push_bytes',
      help: 'Size of the responses sent to Envoys.',
      // grpc-js clients refuse more than 4 MiB by default.
      buckets: [256, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304],
      ...perType,
    });
    this.#acks = new Counter({ name: 'sluice_xds_acks_total', help: 'Responses that Envoys took.', ...perType });
    this.#nacks = new Counter({ name: 'sluice_xds_nacks_total', help: 'Responses that Envoys refused.', ...perType });
    this.#refused = new Counter({
      name: 'sluice_xds_clients_refused_total',
      help: 'Streams of clients that may not use the node id they name.',
      registers: [registry],
    });
    this.#convergence = new Histogram({
      name: 'sluice_xds_convergence_seconds',
      help: 'Time from a publication until every connected Envoy had taken it.',
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
      registers: [registry],
    });
    for (const type of KNOWN.values()) this.#startAtZero(type);
  }

  /** Counts one event. */
  record(event: XdsTraffic): void {
    switch (event.kind) {
      case 'sent':
        this.#pushes.inc(typeLabel(event.typeUrl));
        this.#bytes.observe(typeLabel(event.typeUrl), event.bytes);
        break;
      case 'acked':
        this.#acks.inc(typeLabel(event.typeUrl));
        break;
      case 'nacked':
        this.#nacks.inc(typeLabel(event.typeUrl));
        break;
      case 'refused':
        this.#refused.inc();
        break;
      default:
      // Connections are counted as they are when somebody asks.
    }
  }

  /** See `followConvergence`. */
  recordConvergence(seconds: number): void {
    this.#convergence.observe(seconds);
  }

  /** Series that are there before the first event: a rate over them sees that one too. */
  #startAtZero(type: string): void {
    for (const counter of [this.#pushes, this.#acks, this.#nacks]) counter.inc({ type }, 0);
    this.#bytes.zero({ type });
  }
}
