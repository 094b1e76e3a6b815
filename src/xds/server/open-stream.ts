import type { ServerDuplexStream } from '@grpc/grpc-js';
import type { Clock } from '../../base/clock.ts';
import type { NodeGuard } from '../../base/node-guard.ts';
import type { SnapshotCache } from '../../snapshot/cache.ts';
import type { StreamIdentity, XdsEvent } from '../protocol/event.ts';
import type { Holdings } from '../protocol/holdings.ts';
import type { StreamLimits } from '../protocol/limits.ts';
import type { Held, TypeState } from '../protocol/type-state.ts';
import type { Variant } from '../protocol/variant.ts';
import type { Introduction } from '../protocol/wire.ts';
import type { DiscoveryService } from './services.ts';

/** What a stream needs from its server. */
export interface StreamHost {
  readonly cache: SnapshotCache;
  readonly clock: Clock;
  readonly limits: StreamLimits;
  readonly emit: (event: XdsEvent) => void;
  /** How often the cache has changed. */
  readonly sequence: () => number;
  readonly guard: NodeGuard;
  /** Told of resources that were sent. */
  readonly sent: (resources: readonly Held[]) => void;
  /** Told of bytes written (positive) and taken by a client (negative). */
  readonly written: (bytes: number) => void;
  /** Asks for a turn of `stream`. */
  readonly wake: (stream: XdsStream) => void;
  /** Told once of the node that a stream belongs to. */
  readonly introduced: (stream: XdsStream, nodeId: string) => void;
  readonly closed: (stream: XdsStream) => void;
}

/** An open stream, whichever variant it speaks. */
export interface XdsStream {
  /** As in its identity. */
  readonly id: number;
  readonly identity: StreamIdentity;
  /** Undefined until the first request. */
  readonly introduction: Introduction | undefined;
  readonly connectedSince: number;
  /** Whether all types come over this one stream. */
  readonly isAggregated: boolean;
  types(): Iterable<TypeState>;
  type(typeUrl: string): TypeState | undefined;
  /** What its client has taken by now. */
  holdings(): Holdings;
  /** When the last NACK of a type came, in milliseconds since the epoch. */
  nackedAt(typeUrl: string): number | undefined;
  /** When the first ACK of a type came, in milliseconds since the epoch. */
  ackedSince(typeUrl: string): number | undefined;
  /** Whether there is anything for this node. */
  hasSnapshot(): boolean;
  /** Sends what is new, as far as the client takes it. */
  takeTurn(): void;
  /** Makes the client answer something if it is alive; false: there is no way now. */
  ask(): boolean;
  /** Ends the stream in order. */
  end(reason: string): void;
}

/** Everything a stream is opened with. */
export interface StreamOptions<H extends Held, Request> {
  readonly id: number;
  readonly call: ServerDuplexStream<Buffer, Buffer>;
  readonly service: DiscoveryService;
  readonly variant: Variant<H, Request>;
  readonly host: StreamHost;
}
