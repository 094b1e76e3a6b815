import type { NodeIdentity } from '../../snapshot/cache.ts';

/** Which stream of which client. */
export interface StreamIdentity {
  /** Counted from 1 for the life of the server. */
  readonly stream: number;
  readonly node: NodeIdentity;
  /** The client's address. */
  readonly peer: string;
}

/** What happens on the streams, for the log, the status and the metrics. */
export type XdsEvent =
  | (StreamIdentity & {
      /** The first request has come, the one that names the node. */
      readonly kind: 'connected';
      readonly delta: boolean;
      /** The gRPC service, such as `envoy.service.discovery.v3.AggregatedDiscoveryService`. */
      readonly service: string;
      /** Name and version of the client's software, as far as it says. */
      readonly userAgent: string;
      /** It says that it holds resources already: it had them from a stream before this one. */
      readonly returning: boolean;
    })
  /** The clusters that a returning client holds already, told right after `asked`. */
  | (StreamIdentity & { readonly kind: 'holds'; readonly names: readonly string[] })
  /** It asks for resources of this type for the first time on its stream. Nothing of it is answered yet. */
  | (StreamIdentity & { readonly kind: 'asked'; readonly typeUrl: string })
  | (StreamIdentity & { readonly kind: 'disconnected'; readonly reason: string })
  /** It has answered what it was asked with `XdsServer.ask`. */
  | (StreamIdentity & { readonly kind: 'alive' })
  /** The client may not speak for the node it names; its stream was ended before it began. */
  | (StreamIdentity & { readonly kind: 'refused'; readonly reason: string })
  | (StreamIdentity & {
      readonly kind: 'sent';
      readonly typeUrl: string;
      readonly version: string;
      readonly resources: readonly string[];
      readonly removed: readonly string[];
      /** Of the whole message. */
      readonly bytes: number;
    })
  | (StreamIdentity & {
      readonly kind: 'acked';
      readonly typeUrl: string;
      readonly version: string;
      readonly resources: readonly string[];
    })
  | (StreamIdentity & {
      readonly kind: 'nacked';
      readonly typeUrl: string;
      readonly version: string;
      /** Those the client's words name; all of the response when they name none. */
      readonly resources: readonly string[];
      /** The client's own words. */
      readonly message: string;
      /** Each is sent once more by itself, so this says nothing about one of them yet. */
      readonly retried?: boolean;
      /** They were refused before, with the same words, and were tried once more. */
      readonly again?: boolean;
    })
  /** The client asks faster than is allowed; it is read more slowly, and nothing of what it says is lost. */
  | (StreamIdentity & { readonly kind: 'limited'; readonly requestsPerSecond: number });
