import { envoy } from '#xds';
import type { EncodedResource } from '../snapshot/resource.ts';
import { connectionManager, type HttpFilter, router } from './connection-manager.ts';
import { CONTROL_LISTENER, IDLE_LISTENER, SELF_CLUSTER } from './contract.ts';
import { duration, resource } from './encode.ts';
import type { FilterOptions } from './options.ts';
import { controlFilters } from './queue-filter.ts';

const { Listener } = envoy.config.listener.v3;
const { Cluster } = envoy.config.cluster.v3;

/**
 * Where the filter's stream to Sluice begins: a listener inside Envoy, which only Envoy itself can reach. What opens the
 * stream is a part of this listener, and the stream ends with it; so nothing that changes with routes or pods is in here.
 */
export function controlListener(filter: Extract<FilterOptions, { kind: 'wasm' }>): EncodedResource {
  return internalListener(CONTROL_LISTENER, controlFilters(filter));
}

/** What stands where there is no listener for clients. */
export function idleListener(): EncodedResource {
  return internalListener(IDLE_LISTENER, []);
}

function internalListener(name: string, filters: readonly HttpFilter[]): EncodedResource {
  return resource(Listener, name, {
    name,
    internalListener: {},
    filterChains: [
      {
        filters: [
          connectionManager({
            statPrefix: name,
            generateRequestId: { value: false },
            routeConfig: {
              name,
              virtualHosts: [
                {
                  name: 'all',
                  domains: ['*'],
                  routes: [{ match: { prefix: '/' }, directResponse: { status: 404 } }],
                },
              ],
            },
            httpFilters: [...filters, router()],
          }),
        ],
      },
    ],
  });
}

/** The way there, from within Envoy. */
export function selfCluster(): EncodedResource {
  return resource(Cluster, SELF_CLUSTER, {
    name: SELF_CLUSTER,
    type: Cluster.DiscoveryType.STATIC,
    connectTimeout: duration(1000),
    loadAssignment: {
      clusterName: SELF_CLUSTER,
      endpoints: [
        {
          lbEndpoints: [{ endpoint: { address: { envoyInternalAddress: { serverListenerName: CONTROL_LISTENER } } } }],
        },
      ],
    },
  });
}
