import type { HostPort } from '../base/host-port.ts';

/** Spans of requests, for those who trace them. */
export interface Tracing {
  /** Who takes them by OTLP over gRPC. */
  readonly otlp: HostPort;
  /** Of a hundred requests that bring no trace, how many begin one. */
  readonly sample: number;
  /** What Sluice is called among the services of a trace. */
  readonly name: string;
}
