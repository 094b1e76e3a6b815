import { envoy } from '#xds';
import { DEFAULT_HEADER_BOUNDS } from '../model/header-bounds.ts';
import type { Certificate, ClientCertificates, Listener as PublicListener } from '../model/listener.ts';
import type { Routing } from '../model/routing.ts';
import type { Socket } from '../model/sockets.ts';
import type { EncodedResource } from '../snapshot/resource.ts';
import { accessLoggers } from './access-log.ts';
import { ADS, CLIENT_HTTP2, connectionManager } from './connection-manager.ts';
import { certificateName, HEADER_PREFIX, PUBLIC, routesName } from './contract.ts';
import { duration, extension, pack, resource, wrap } from './encode.ts';
import { localReplies } from './local-replies.ts';
import type { TranslateOptions } from './options.ts';
import { publicFilters } from './queue-filter.ts';
import { tracedRequests } from './tracing.ts';
import { WORK_TIMEOUT_HEADER } from './work-timeout.ts';

const { Listener } = envoy.config.listener.v3;
const { HttpConnectionManager } = envoy.extensions.filters.network.http_connection_manager.v3;
const { HeaderMutation } = envoy.extensions.http.early_header_mutation.header_mutation.v3;
const { Cors } = envoy.extensions.filters.http.cors.v3;
const { RBAC } = envoy.extensions.filters.http.rbac.v3;
const { TlsInspector } = envoy.extensions.filters.listener.tls_inspector.v3;
const { CertificateValidationContext, DownstreamTlsContext } = envoy.extensions.transport_sockets.tls.v3;

type ClientValidation = envoy.extensions.transport_sockets.tls.v3.CertificateValidationContext.$Properties;

const { INBOUND } = envoy.config.core.v3.TrafficDirection;

/** A client that has not sent its headers after this long is not going to. */
const REQUEST_HEADERS_MS = 60_000;

/**
 * 0: a connection that is to be closed is closed once its client has everything, however long that takes. With any other
 * value Envoy waits for so long after an answer that broke off before the client is told, and cuts a client that has not
 * taken a byte for so long, in the middle of the answer (both seen on 1.40). What it costs: who is refused while it still
 * sends a large body may see a connection that was reset in place of the answer, if it does not read while it sends.
 */
const CLOSE_DELAY_MS = 0;

/** What HTTP/1.0 clients without a `Host` ask for: only routes for any host take it. */
const HOST_OF_HTTP10 = 'localhost';

/**
 * A client whose machine vanishes says nothing; its request would wait, and then work, for nobody. The kernel asks after
 * 60 s without a byte, so such a connection ends after 90 s. Accepted sockets have what the listening one has. The
 * numbers are Linux's: SO_KEEPALIVE of SOL_SOCKET; TCP_KEEPIDLE, TCP_KEEPINTVL and TCP_KEEPCNT of IPPROTO_TCP.
 */
const KEEPALIVE = [
  { level: 1, name: 9, intValue: 1 },
  { level: 6, name: 4, intValue: 60 },
  { level: 6, name: 5, intValue: 10 },
  { level: 6, name: 6, intValue: 3 },
];

/** What all listeners are made from. */
type ListenerRouting = Pick<Routing, 'services' | 'accessLog' | 'tracing' | 'headerBounds'>;

/** A listener that users' requests come to. */
export function socketListener(socket: Socket, routing: ListenerRouting, options: TranslateOptions): EncodedResource {
  const { name, address, port, listeners } = socket;
  return resource(Listener, name, {
    name,
    // "::" stands for every address of the machine; without the last key it would be those of IPv6 alone.
    address: { socketAddress: { address, portValue: port, ...(address === '::' ? { ipv4Compat: true } : {}) } },
    socketOptions: KEEPALIVE,
    // A span of a request is a server's.
    ...(routing.tracing === undefined ? {} : { trafficDirection: INBOUND }),
    ...(socket.tls && listeners.some(({ hostname }) => hostname !== undefined) ? { listenerFilters: [BY_NAME] } : {}),
    filterChains: socket.tls
      ? listeners.map((listener) => ({
          // Without a name it takes every connection that no other one is asked for by.
          ...(listener.hostname === undefined ? {} : { filterChainMatch: { serverNames: [listener.hostname] } }),
          filters: [requests(routesName(name, listener.hostname), routing, options)],
          transportSocket: tls(listener),
        }))
      : [{ filters: [requests(name, routing, options)] }],
  });
}

/** Reads which name a client asks for, so that it finds the listener that is meant. */
const BY_NAME = extension('envoy.filters.listener.tls_inspector', TlsInspector, {});

function requests(
  routeConfigName: string,
  { services, accessLog, tracing, headerBounds = DEFAULT_HEADER_BOUNDS }: ListenerRouting,
  { filter }: TranslateOptions,
) {
  return connectionManager({
    statPrefix: PUBLIC,
    rds: { routeConfigName, configSource: ADS },
    useRemoteAddress: { value: true },
    // No `internalAddressConfig`: without it no client is internal, and `x-envoy-*` headers that would change
    // timeouts and retries are removed, whoever sends them. An empty one makes loopback internal (seen on 1.40).
    normalizePath: { value: true },
    accessLog: [...accessLoggers(accessLog)],
    ...tracedRequests(tracing),
    // A client that names its request finds it by that name: in the answer, the log, and at the pod.
    preserveExternalRequestId: true,
    alwaysSetRequestIdInResponse: true,
    serverHeaderTransformation: HttpConnectionManager.ServerHeaderTransformation.PASS_THROUGH,
    // Who asks whether to send a body (`Expect: 100-continue`) is answered by the pod, and so when the request has
    // its slot; who is refused keeps the body.
    proxy100Continue: true,
    delayedCloseTimeout: duration(CLOSE_DELAY_MS),
    requestHeadersTimeout: duration(REQUEST_HEADERS_MS),
    maxRequestHeadersKb: wrap(headerBounds.size / 1024),
    commonHttpProtocolOptions: { maxHeadersCount: wrap(headerBounds.lines) },
    httpProtocolOptions: { enableTrailers: true, acceptHttp10: true, defaultHostForHttp10: HOST_OF_HTTP10 },
    http2ProtocolOptions: CLIENT_HTTP2,
    upgradeConfigs: [{ upgradeType: 'websocket' }],
    earlyHeaderMutationExtensions: [
      extension('envoy.http.early_header_mutation.header_mutation', HeaderMutation, {
        mutations: [{ removeOnMatch: { keyMatcher: { prefix: HEADER_PREFIX } } }, { remove: WORK_TIMEOUT_HEADER }],
      }),
    ],
    localReplyConfig: localReplies(services, { filter }, headerBounds),
    httpFilters: [CLIENTS, CORS, ...publicFilters(filter)],
  });
}

/** Rests unless a route takes only some clients: the others learn nothing, and take no slot. */
const CLIENTS = extension('envoy.filters.http.rbac', RBAC, {});

/** Rests unless a route has it answer browsers that ask before they send: such a request takes no slot. */
const CORS = extension('envoy.filters.http.cors', Cors, {});

function tls({ tls: settings }: PublicListener): envoy.config.core.v3.TransportSocket.$Properties {
  const certificates: readonly Certificate[] = settings?.certificates ?? [];
  const clients = settings?.clients;
  return {
    name: 'envoy.transport_sockets.tls',
    typedConfig: pack(DownstreamTlsContext, {
      ...(clients?.required ? { requireClientCertificate: wrap(true) } : {}),
      commonTlsContext: {
        alpnProtocols: ['h2', 'http/1.1'],
        ...(clients === undefined ? {} : { validationContext: clientValidation(clients) }),
        // By name, so that another certificate closes no connection. Of several Envoy takes the one for the client's name.
        tlsCertificateSdsSecretConfigs: certificates.map((one) => ({ name: certificateName(one), sdsConfig: ADS })),
      },
    }),
  };
}

function clientValidation({ authorities, required }: ClientCertificates): ClientValidation {
  const { ACCEPT_UNTRUSTED } = CertificateValidationContext.TrustChainVerification;
  return {
    trustedCa: { inlineString: authorities },
    ...(required ? {} : { trustChainVerification: ACCEPT_UNTRUSTED }),
  };
}
