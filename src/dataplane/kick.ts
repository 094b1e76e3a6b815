import { envoy } from '#xds';
import type { ServiceName } from '../model/service.ts';
import type { EncodedResource } from '../snapshot/resource.ts';
import { gateClusterOf, HEADERS, KICK, KICKED } from './contract.ts';
import { duration, resource } from './encode.ts';
import { httpConnectionManager, router, routesByName } from './http-connection-manager.ts';

const { Listener } = envoy.config.listener.v3;
const { RouteConfiguration } = envoy.config.route.v3;

/** Its `x-envoy-overloaded` tells that the line is full. */
const ROUTER = router({ suppressEnvoyHeaders: false });

/**
 * A raised limit wakes nobody by itself: Envoy opens connections when a request comes or ends. A kick is a
 * request that comes: through the gate, answered by the second hop. Only this machine can send one.
 */
export function kickListener(port: number): EncodedResource {
  return resource(Listener, KICK, {
    name: KICK,
    address: { socketAddress: { address: '127.0.0.1', portValue: port } },
    // A kick must get through when clients have used up all connections: then the line is longest.
    ignoreGlobalConnLimit: true,
    filterChains: [
      {
        filters: [httpConnectionManager({ statPrefix: KICK, ...routesByName(KICK), httpFilters: [ROUTER] })],
      },
    ],
  });
}

/** `GET /codec` kicks the gate codec. */
export function kickRoutes(gates: Iterable<ServiceName>): EncodedResource {
  return resource(RouteConfiguration, KICK, {
    name: KICK,
    virtualHosts: [
      {
        name: 'all',
        domains: ['*'],
        requestHeadersToAdd: [{ header: { key: HEADERS.service, value: KICKED } }],
        routes: [...gates].map((gate) => ({
          // As a kick writes it.
          match: { path: `/${encodeURIComponent(gate)}` },
          route: { cluster: gateClusterOf(gate), timeout: duration(0) },
        })),
      },
    ],
  });
}
