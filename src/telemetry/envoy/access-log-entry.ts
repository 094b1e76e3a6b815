/** What Envoy's access log says about one request: of most only that it is over. */
export type LogEntry =
  /** It came a while ago and has no slot yet. May come more than once. */
  | (Common & { readonly kind: 'waits' })
  /** It has waited, and has a slot: its turn has come. May come more than once. */
  | (Common & { readonly kind: 'admitted' })
  /** A pod was tried in vain: it may be ejected now. The request may be tried again. */
  | (Common & { readonly kind: 'failed' })
  | (Common & Ended);

interface Common {
  /** The service of its route; empty when no route took it. */
  readonly service: string;
  /** Envoy's own: a client's is overwritten. Ties the entries of one request together. */
  readonly requestId: string;
  /** When it came, in milliseconds since the epoch. */
  readonly startedAt: number;
}

/** The request is over. */
export interface Ended {
  readonly kind: 'ended';
  /** From its arrival to the last byte of its answer, in milliseconds. */
  readonly durationMs: number;
  /** From its arrival to the moment it was sent on, in milliseconds; undefined: it never was. */
  readonly waitMs: number | undefined;
  /** The HTTP status that the client got; 0: none. */
  readonly status: number;
  /** Envoy's `%RESPONSE_CODE_DETAILS%`. */
  readonly details: string;
  /** Envoy's response flags: bit n is the field number n of `ResponseFlags` (see `FLAG`). */
  readonly flags: number;
}

/** Bits of `Ended.flags`: 2 to the power of the field number in `envoy.data.accesslog.v3.ResponseFlags`. */
export const FLAG = {
  upstreamRequestTimeout: 1 << 3,
  upstreamOverflow: 1 << 8,
  downstreamConnectionTermination: 1 << 15,
  streamIdleTimeout: 1 << 17,
  maxStreamDuration: 1 << 20,
  durationTimeout: 1 << 23,
  downstreamRemoteReset: 1 << 28,
} as const;

/** Who writes a log, and which. */
export interface LogIdentifier {
  readonly nodeId: string;
  readonly logName: string;
}

/** A message of an access log stream. */
export interface LogMessage {
  /** Only the first message of a stream has it. */
  readonly identifier: LogIdentifier | undefined;
  readonly entries: readonly LogEntry[];
}
