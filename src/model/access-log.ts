import type { HostPort } from '../base/host-port.ts';

/** Forms of a line of the access log. */
export const LOG_FORMATS = ['json', 'text'] as const;

/** Which requests are written down. */
export const LOGGED_REQUESTS = ['all', 'failed'] as const;

/** Where is written down what became of each request; at least one of the two. */
export interface AccessLog {
  /** A file on the machine of Envoy. */
  readonly file?: {
    /** Absolute; `STANDARD_OUTPUT` for Envoy's own. */
    readonly path: string;
    readonly format: (typeof LOG_FORMATS)[number];
  };
  /** Who takes it by OTLP over gRPC. */
  readonly otlp?: HostPort;
  /** All of them, or those that were not answered as they should be. */
  readonly requests: (typeof LOGGED_REQUESTS)[number];
  /** Names of request headers that are written down too, in small letters. */
  readonly headers: readonly string[];
}

/** The path that stands for the standard output of Envoy. */
export const STANDARD_OUTPUT = '/dev/stdout';
