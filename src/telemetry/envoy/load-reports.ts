import {
  type ServerDuplexStream,
  type ServiceDefinition,
  status,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { envoy } from '#xds';
import { type Clock, systemClock } from '../../base/clock.ts';
import { type NodeGuard, openToAll } from '../../base/node-guard.ts';
import { rawMethod } from '../../base/raw-method.ts';
import { type ClusterLoad, type LoadReport, readLoadReport } from './load-report-message.ts';

const { LoadStatsResponse } = envoy.service.load_stats.v3;

/** What one Envoy said about one cluster. */
export interface LoadObservation extends ClusterLoad {
  readonly nodeId: string;
  /** When it was received, in milliseconds since the epoch. */
  readonly at: number;
}

/** How load reports are asked for, and who gets them. */
export interface LoadReportsOptions {
  readonly clock?: Clock;
  /** Whose reports are taken; everybody's by default. */
  readonly guard?: NodeGuard;
  /** How often an Envoy reports, in milliseconds: 1000 by default, never below 250. See `quicken`. */
  readonly intervalMs?: () => number;
  /** The clusters to report on; undefined: all of them. */
  readonly clusters?: () => readonly string[] | undefined;
  /**
   * Called once per report, with an entry per cluster in it, idle ones too. A cluster that is not in it is one the
   * Envoy does not have, or that came after the period of the report had begun.
   */
  readonly onReport: (observations: readonly LoadObservation[], nodeId: string, at: number) => void;
  /** The last stream of an Envoy ended: what it works on is not known any more. */
  readonly onGone?: (nodeId: string) => void;
}

const SHORTEST_INTERVAL_MS = 250;
const PATH = '/envoy.service.load_stats.v3.LoadReportingService/StreamLoadStats';

type Call = ServerDuplexStream<Buffer, Buffer>;

/**
 * Envoy's load reporting service: which pod works on how many requests, told by the Envoys themselves.
 *
 * An Envoy leaves out pods without any request since the last report, and reports those that still work on an old one
 * (run on 1.40). Releases before `envoy.reloadable_features.report_load_for_non_zero_stats` was there leave out a
 * locality where no request began since the last report, unless their runtime sets
 * `envoy.reloadable_features.report_load_when_rq_active_is_non_zero` (LoadStatsReporterImpl): a pod that works on one
 * long request would seem to have none.
 */
export class LoadReports {
  readonly definition: ServiceDefinition = { StreamLoadStats: rawMethod(PATH, 'both') };
  readonly implementation: UntypedServiceImplementation = {
    StreamLoadStats: (call: Call) => {
      this.#open(call);
    },
  };
  readonly #options: LoadReportsOptions;
  readonly #clock: Clock;
  /** Open streams with the node they come from, once it is known. */
  readonly #calls = new Map<Call, string | undefined>();
  /** The interval that was asked for last. */
  #askedMs = 0;

  constructor(options: LoadReportsOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** Asks all Envoys again, because `clusters` gives other names than before. */
  refresh(): void {
    for (const [call, nodeId] of this.#calls) if (nodeId !== undefined) this.#ask(call);
  }

  /**
   * Asks all Envoys anew if `intervalMs` gives a shorter one than before: the next reports come after that. A longer one
   * is asked for after a report, so that one comes however often this changes.
   */
  quicken(): void {
    if (this.#intervalMs() < this.#askedMs) this.refresh();
  }

  /** Ends all streams in order: the server is about to stop. */
  end(): void {
    for (const call of [...this.#calls.keys()]) {
      this.#close(call);
      call.end();
    }
  }

  #open(call: Call): void {
    this.#calls.set(call, undefined);
    call.on('data', (bytes: Buffer) => this.#receive(call, bytes));
    call.on('end', () => {
      this.#close(call);
      call.end();
    });
    for (const event of ['cancelled', 'error', 'close']) call.on(event, () => this.#close(call));
  }

  #receive(call: Call, bytes: Buffer): void {
    if (!this.#calls.has(call)) return;
    let report: LoadReport;
    try {
      report = readLoadReport(bytes);
    } catch (error) {
      const details = `not a LoadStatsRequest: ${error instanceof Error ? error.message : String(error)}`;
      this.#fail(call, status.INVALID_ARGUMENT, details);
      return;
    }
    const known = this.#calls.get(call);
    const nodeId = known ?? report.nodeId;
    if (known === undefined) {
      const refusal = (this.#options.guard ?? openToAll)(call, nodeId);
      if (refusal !== undefined) {
        this.#fail(call, status.PERMISSION_DENIED, refusal);
        return;
      }
      this.#calls.set(call, nodeId);
      this.#ask(call);
    }
    // The first request only says who is there.
    if (report.clusters.length > 0 || known !== undefined) this.#report(nodeId, report.clusters);
  }

  #report(nodeId: string, clusters: readonly ClusterLoad[]): void {
    const at = this.#clock.now();
    this.#options.onReport(
      clusters.map((cluster) => ({ nodeId, at, ...cluster })),
      nodeId,
      at,
    );
    if (this.#intervalMs() !== this.#askedMs) this.refresh();
  }

  #intervalMs(): number {
    return Math.max(SHORTEST_INTERVAL_MS, this.#options.intervalMs?.() ?? 1000);
  }

  #ask(call: Call): void {
    const clusters = this.#options.clusters?.();
    const ms = this.#intervalMs();
    this.#askedMs = ms;
    const response = LoadStatsResponse.encode({
      clusters: [...(clusters ?? [])],
      sendAllClusters: clusters === undefined,
      reportEndpointGranularity: true,
      loadReportingInterval: { seconds: Math.floor(ms / 1000), nanos: Math.round((ms % 1000) * 1e6) },
    });
    call.write(Buffer.from(response.finish()));
  }

  #fail(call: Call, code: status, details: string): void {
    this.#close(call);
    // How grpc-js takes the status a stream ends with.
    call.emit('error', { code, details });
  }

  #close(call: Call): void {
    const nodeId = this.#calls.get(call);
    if (!this.#calls.delete(call) || nodeId === undefined) return;
    if (![...this.#calls.values()].includes(nodeId)) this.#options.onGone?.(nodeId);
  }
}
