import type { TypeState } from './type-state.ts';

/** What one client may use up. */
export interface StreamLimits {
  /** Streams open at a time, of all clients together; more are refused. */
  readonly streams: number;
  /** Requests a second that are read, over time; more are read later. */
  readonly requestsPerSecond: number;
  /** Requests that are read at once after a quiet time. */
  readonly requestBurst: number;
  /** Names a stream may subscribe to, of all types together; more end the stream. */
  readonly names: number;
  /** Characters of all these names together; more end the stream. */
  readonly nameLength: number;
  /** Types a stream may ask for; more end the stream. */
  readonly types: number;
  /** How many bytes of resources a response holds, where the protocol allows several; one resource always fits. */
  readonly responseBytes: number;
  /** How long listeners and routes wait for the answer to new clusters, in milliseconds. */
  readonly clusterWaitMs: number;
  /** After how many milliseconds an Envoy gets again what it has refused, at first and at most: half as long again each time. */
  readonly retryMs: { readonly first: number; readonly longest: number };
}

/** Limits no honest client meets; 1 MiB stays below the 4 MiB that gRPC clients receive by default. */
export const DEFAULT_LIMITS: StreamLimits = {
  streams: 10_000,
  requestsPerSecond: 1000,
  requestBurst: 2000,
  names: 200_000,
  nameLength: 16 * 1024 * 1024,
  types: 64,
  responseBytes: 1024 * 1024,
  clusterWaitMs: 5000,
  retryMs: { first: 2000, longest: 5000 },
};

/**
 * With more bytes than this on their way nothing is sent until the client has taken them: enough to keep a fast client
 * busy, and all that a stalled one costs, but for the one response that goes beyond it.
 */
export const MOST_IN_FLIGHT = 32 * 1024;

/** What a stream asks for beyond its limits, in words; undefined: nothing. */
export function excessOf(limits: StreamLimits, types: ReadonlyMap<string, TypeState>): string | undefined {
  if (types.size > limits.types) return `more than ${limits.types} types`;
  let names = 0;
  let length = 0;
  for (const { subscription } of types.values()) {
    names += subscription.names.size;
    length += subscription.length;
  }
  if (names > limits.names) return `more than ${limits.names} names of all types together`;
  return length > limits.nameLength
    ? `more than ${limits.nameLength} characters of names of all types together`
    : undefined;
}
