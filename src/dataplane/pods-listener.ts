import { envoy, type xds } from '#xds';
import type { Service, ServiceName } from '../model/service.ts';
import type { EncodedResource } from '../snapshot/resource.ts';
import { failureLog, timeoutLog } from './access-log.ts';
import { DRAINING_KEY, HEADERS, KICKED, METADATA, podsCluster, SECOND_HOP } from './contract.ts';
import { duration, extension, resource, struct } from './encode.ts';
import { httpConnectionManager, router, routesByName } from './http-connection-manager.ts';
import { podsReplies } from './local-replies.ts';
import { eachTry, podsScript, podsScriptOnRoutes } from './pods-script.ts';
import { refusalMetadata } from './refusal-metadata.ts';
import { parkingRetries } from './retries.ts';
import { NO_ROUTE_TIMEOUT, OWN_WORK_TIMEOUT, workTimeout } from './work-timeout.ts';

const { Listener } = envoy.config.listener.v3;
const { Route, RouteConfiguration } = envoy.config.route.v3;
const { HttpRequestHeaderMatchInput } = envoy.type.matcher.v3;

type EnvoyRoute = envoy.config.route.v3.Route.$Properties;

const EVERYTHING = { prefix: '/' };

/**
 * The largest body with which a request can wait in parking: Envoy must hold it whole to send it again, and holds as much
 * as a connection may buffer.
 */
const PARKED_BODY_BYTES = 8 * 1024 * 1024;

/**
 * Makes a new connection of the gate wait for its first bytes, and so for the next turn of Envoy's event loop. Without
 * it the request that follows one whose client has gone chooses its pod a moment too early, in the same turn: by HTTP/1
 * Envoy still counts the one that has gone at its pod, all pods look equally full, and with the wrong one the request
 * waits behind another's work beside a free slot (run on 1.40: 21 of 25 times with 4 pods, none in 50 with this).
 * The inspector reads ahead without taking anything, finds no TLS in Envoy's own HTTP, and has no settings.
 */
const AFTER_CLOSED: envoy.config.listener.v3.ListenerFilter.$Properties = {
  name: 'envoy.filters.listener.tls_inspector',
  typedConfig: { typeUrl: 'type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector' },
};

/**
 * The second hop: an internal listener that a request reaches once it has its slot, one for all services. With a thousand
 * of them one each was most of what Envoy had to read and to keep (run: half of its time to start, 290 MB). It never
 * changes: a gate that fails to connect to it throws out everybody in its line.
 */
export function podsListener(): EncodedResource {
  return resource(Listener, SECOND_HOP, {
    name: SECOND_HOP,
    internalListener: {},
    listenerFilters: [AFTER_CLOSED],
    listenerFiltersTimeout: duration(0),
    perConnectionBufferLimitBytes: { value: PARKED_BODY_BYTES },
    filterChains: [
      {
        filters: [
          httpConnectionManager({
            statPrefix: SECOND_HOP,
            // The first hop has done these.
            skipXffAppend: true,
            generateRequestId: { value: false },
            localReplyConfig: podsReplies(),
            ...timeoutLog(),
            ...routesByName(SECOND_HOP),
            httpFilters: [podsScript(), router({ ...failureLog(), upstreamHttpFilters: eachTry() })],
          }),
        ],
      },
    ],
  });
}

/**
 * The routes of the second hop: a kick is answered, everything else goes to the pods of its service. Envoy finds them in a
 * table by the header that the first hop has set, so a thousand services take no longer than one. `hops`: whose gates lead
 * to whose pods, each service's to its own, or to those of the heir of one that retires.
 */
export function podsRoutes(hops: ReadonlyMap<ServiceName, Service>): EncodedResource {
  return resource(RouteConfiguration, SECOND_HOP, {
    name: SECOND_HOP,
    // Envoy comes to this level last: what stands below still sees them.
    requestHeadersToRemove: Object.values(HEADERS),
    virtualHosts: [
      {
        name: 'all',
        domains: ['*'],
        requestHeadersToAdd: [OWN_WORK_TIMEOUT],
        // Empty, and so not added, for pods that do not drain.
        responseHeadersToAdd: [
          { header: { key: HEADERS.draining, value: `%UPSTREAM_METADATA(${METADATA}:${DRAINING_KEY})%` } },
        ],
        matcher: {
          matcherTree: {
            input: extension('service', HttpRequestHeaderMatchInput, { headerName: HEADERS.service }),
            exactMatchMap: {
              map: Object.fromEntries([
                [KICKED, take({ match: EVERYTHING, directResponse: { status: 204 } })],
                ...[...hops].map(([from, service]) => [from, take(toPods(service))] as const),
              ]),
            },
          },
          // Envoy may have a new service's public route a moment before this table: no cluster is called so, which makes
          // the first hop try again.
          onNoMatch: take({ match: EVERYTHING, route: { cluster: 'unknown service' } }),
        },
      },
    ],
  });
}

function toPods(service: Service): EnvoyRoute {
  const { perFilterConfig, metadata } = podsScriptOnRoutes(service);
  return {
    match: EVERYTHING,
    typedPerFilterConfig: perFilterConfig,
    requestHeadersToAdd: workTimeout(service.timeout.request),
    metadata: { filterMetadata: { ...metadata, [METADATA]: struct(refusalMetadata(service)) } },
    route: { cluster: podsCluster(service), ...NO_ROUTE_TIMEOUT, retryPolicy: parkingRetries() },
  };
}

/** One place of the table. */
function take(route: EnvoyRoute): xds.type.matcher.v3.Matcher.OnMatch.$Properties {
  return { action: extension('route', Route, route) };
}
