import type { ServiceDefinition } from '@grpc/grpc-js';
import { rawMethod, type Streaming } from '../../base/raw-method.ts';
import { TYPE_URLS, type TypeUrl } from '../../snapshot/resource.ts';

/** One discovery service; without a type it is the aggregated one, where every request names its own. */
export interface DiscoveryService {
  readonly name: string;
  readonly typeUrl: TypeUrl | undefined;
  readonly stream: string;
  readonly delta: string;
  /** The polling method, which is not served. */
  readonly fetch: string | undefined;
}

function service(name: string, typeUrl: TypeUrl, what: string): DiscoveryService {
  return {
    name: `envoy.service.${name}DiscoveryService`,
    typeUrl,
    stream: `Stream${what}`,
    delta: `Delta${what}`,
    fetch: `Fetch${what}`,
  };
}

/** All discovery services of the server. */
export const DISCOVERY_SERVICES: readonly DiscoveryService[] = [
  {
    name: 'envoy.service.discovery.v3.AggregatedDiscoveryService',
    typeUrl: undefined,
    stream: 'StreamAggregatedResources',
    delta: 'DeltaAggregatedResources',
    fetch: undefined,
  },
  service('cluster.v3.Cluster', TYPE_URLS.cluster, 'Clusters'),
  service('endpoint.v3.Endpoint', TYPE_URLS.endpoints, 'Endpoints'),
  service('listener.v3.Listener', TYPE_URLS.listener, 'Listeners'),
  service('route.v3.Route', TYPE_URLS.routes, 'Routes'),
  service('secret.v3.Secret', TYPE_URLS.secret, 'Secrets'),
  service('extension.v3.ExtensionConfig', TYPE_URLS.extension, 'ExtensionConfigs'),
];

/** The gRPC definition of a discovery service. */
export function definitionOf({ name, stream, delta, fetch }: DiscoveryService): ServiceDefinition {
  const method = (called: string, streaming: Streaming) =>
    [called, rawMethod(`/${name}/${called}`, streaming)] as const;
  return Object.fromEntries([
    method(stream, 'both'),
    method(delta, 'both'),
    ...(fetch === undefined ? [] : [method(fetch, 'neither')]),
  ]);
}
