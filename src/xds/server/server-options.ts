import type { ServerCredentials, ServerOptions } from '@grpc/grpc-js';
import type { Clock } from '../../base/clock.ts';
import type { NodeGuard } from '../../base/node-guard.ts';
import type { SnapshotCache } from '../../snapshot/cache.ts';
import type { XdsEvent } from '../protocol/event.ts';
import type { StreamLimits } from '../protocol/limits.ts';
import type { BindAddress } from './address.ts';
import type { ExtraService } from './extra-service.ts';

/** How an `XdsServer` is set up. */
export interface XdsServerOptions {
  readonly addresses: readonly BindAddress[];
  readonly cache: SnapshotCache;
  readonly clock?: Clock;
  /** Plaintext by default. */
  readonly credentials?: ServerCredentials | undefined;
  /** Told of everything that happens; must not throw. */
  readonly onEvent?: (event: XdsEvent) => void;
  readonly extraServices?: readonly ExtraService[];
  /** `control_plane.identifier` of every response; `sluice` by default. */
  readonly identifier?: string;
  readonly limits?: Partial<StreamLimits>;
  /** Which clients may speak for which nodes, and see what those got; without it any client for any node. */
  readonly guard?: NodeGuard | undefined;
  /** Connections are closed in order at this age, give or take a tenth, so that clients spread anew; never by default. */
  readonly maxAgeMs?: number | undefined;
}

/** How a wait for answers ended; see `XdsServer.waitForAck`. */
export type AckResult = 'acked' | 'nacked' | 'timeout' | 'no nodes';

/**
 * When a stream ends whose connection is to be renewed at this age: once gRPC has told the client not to open more streams
 * on it, which it does at this age, give or take a tenth. So it ends in order, and the next one is on a new connection.
 */
export function streamAge(maxAgeMs: number): number {
  return maxAgeMs * 1.1 + 500;
}

/** How much longer gRPC lets the connection live, in milliseconds: streams of other services are cut then. */
function ageGrace(maxAgeMs: number): number {
  return Math.ceil(maxAgeMs * 0.2 + 5000);
}

/** gRPC's settings, and why each is there: measured with grpc-js 1.14. */
export function channelOptions(maxAgeMs: number | undefined): ServerOptions {
  return {
    // Off by default, and then a frozen peer stays for ever.
    'grpc.keepalive_time_ms': 30_000,
    'grpc.keepalive_timeout_ms': 10_000,
    // 4 MiB by default; a client that reconnects with many resources names them all in one request.
    'grpc.max_receive_message_length': 16 * 1024 * 1024,
    ...(maxAgeMs !== undefined && {
      'grpc.max_connection_age_ms': maxAgeMs,
      'grpc.max_connection_age_grace_ms': ageGrace(maxAgeMs),
    }),
  };
}
