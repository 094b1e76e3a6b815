import { envoy } from '#xds';
import type { Millis } from '../base/duration.ts';
import type { ServiceRoute } from '../model/route.ts';
import type { Service, ServiceName } from '../model/service.ts';
import type { EncodedResource } from '../snapshot/resource.ts';
import { timeoutLog } from './access-log.ts';
import { duration, merged, resource, struct, wrap } from './encode.ts';
import { HTTP2, httpConnectionManager, router, routesByName } from './http-connection-manager.ts';
import { podsReplies } from './local-replies.ts';
import { DRAINING_KEY, HEADERS, METADATA, podsCluster, podsName } from './names.ts';
import { podsScript, podsScriptOnRoutes } from './pods-script.ts';
import { refusalMetadata } from './refusal-metadata.ts';
import { parkingRetries } from './retries.ts';
import { workTimeout } from './work-timeout.ts';

const { Listener } = envoy.config.listener.v3;
const { HttpConnectionManager } = envoy.extensions.filters.network.http_connection_manager.v3;
const { RouteConfiguration } = envoy.config.route.v3;

/**
 * The largest body with which a request can wait in parking: Envoy must hold it whole to send it again. By HTTP/1 it
 * holds as much as a connection may buffer, by HTTP/2 a stream's window.
 */
const PARKED_BODY_BYTES = 8 * 1024 * 1024;

/** What all second hops have in common. With a thousand services its size is most of what Envoy has to read. */
const MANAGER = httpConnectionManager({
  statPrefix: 'pods',
  // The first hop has done these.
  skipXffAppend: true,
  generateRequestId: { value: false },
  localReplyConfig: podsReplies(),
  http2ProtocolOptions: { ...HTTP2, initialStreamWindowSize: wrap(PARKED_BODY_BYTES) },
  ...timeoutLog(),
  httpFilters: [podsScript(), router()],
});

const COMMON = MANAGER.typedConfig.value ?? new Uint8Array();

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
 * The second hop of a service: an internal listener that a request reaches once it has its slot. It is the
 * same for every service but for its name, and never changes while the service exists: a gate that fails to
 * connect to it throws out everybody in its line.
 */
export function podsListener(service: ServiceName): EncodedResource {
  const name = podsName(service);
  const own = HttpConnectionManager.encode(routesByName(name)).finish();
  return resource(Listener, name, {
    name,
    internalListener: {},
    listenerFilters: [AFTER_CLOSED],
    listenerFiltersTimeout: duration(0),
    perConnectionBufferLimitBytes: { value: PARKED_BODY_BYTES },
    filterChains: [
      {
        filters: [
          // As `extension` would make it of all its properties.
          { name: MANAGER.name, typedConfig: { ...MANAGER.typedConfig, value: merged([COMMON, own]) } },
        ],
      },
    ],
  });
}

/**
 * The routes of the second hop `hop`: a kick is answered, everything else goes to the pods of `service`, which is
 * the hop's own service or the heir of one that retires.
 */
export function podsRoutes(hop: ServiceName, service: Service, routes: readonly ServiceRoute[]): EncodedResource {
  const name = podsName(hop);
  const { perFilterConfig, metadata } = podsScriptOnRoutes(service);
  const toPods = (timeout: Millis) => ({
    metadata: { filterMetadata: { ...metadata, [METADATA]: struct(refusalMetadata(service)) } },
    route: { cluster: podsCluster(service), ...workTimeout(timeout), retryPolicy: parkingRetries() },
  });
  const timeouts = [...new Set(routes.flatMap(({ requestTimeout }) => requestTimeout ?? []))].sort((a, b) => a - b);
  return resource(RouteConfiguration, name, {
    name,
    virtualHosts: [
      {
        name: 'all',
        domains: ['*'],
        typedPerFilterConfig: perFilterConfig,
        requestHeadersToRemove: Object.values(HEADERS),
        // Empty, and so not added, for pods that do not drain.
        responseHeadersToAdd: [
          { header: { key: HEADERS.draining, value: `%UPSTREAM_METADATA(${METADATA}:${DRAINING_KEY})%` } },
        ],
        routes: [
          {
            match: { prefix: '/', headers: [{ name: HEADERS.kick, presentMatch: true }] },
            directResponse: { status: 204 },
          },
          ...timeouts.map((timeout) => ({
            ...toPods(timeout),
            match: { prefix: '/', headers: [{ name: HEADERS.timeout, stringMatch: { exact: String(timeout) } }] },
          })),
          { ...toPods(service.timeout.request), match: { prefix: '/' } },
        ],
      },
    ],
  });
}
