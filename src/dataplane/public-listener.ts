import { envoy } from '#xds';
import type { Listener as PublicListener } from '../model/listener.ts';
import type { Service } from '../model/service.ts';
import type { EncodedResource } from '../snapshot/resource.ts';
import { requestLog, turnLog } from './access-log.ts';
import { HEADERS, PUBLIC } from './contract.ts';
import { duration, extension, pack, resource } from './encode.ts';
import { httpConnectionManager, router, routesByName } from './http-connection-manager.ts';
import { localReplies } from './local-replies.ts';
import { parkedScript } from './pods-script.ts';
import { WORK_TIMEOUT_HEADER } from './work-timeout.ts';

const { Listener } = envoy.config.listener.v3;
const { HeaderMutation } = envoy.extensions.http.early_header_mutation.header_mutation.v3;
const { DownstreamTlsContext } = envoy.extensions.transport_sockets.tls.v3;

/** A client that has not sent its headers after this long is not going to. */
const REQUEST_HEADERS_MS = 60_000;

/**
 * An answer on a connection that is to be closed waits for its client in Envoy's buffer; after so long without taking a
 * byte the client is cut off. Envoy's default of one second cuts answers to clients that pause (run). Much longer would
 * be no better: Envoy closes after answers of its own (404, 429) only then, and HTTP/1.0 clients may wait for that (run).
 */
const SLOW_READER_MS = 60_000;

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

/** The listener that users' requests come to. */
export function publicListener(listen: PublicListener, services: readonly Service[]): EncodedResource {
  return resource(Listener, PUBLIC, {
    name: PUBLIC,
    address: { socketAddress: { address: listen.address, portValue: listen.port } },
    socketOptions: KEEPALIVE,
    filterChains: [
      {
        filters: [
          httpConnectionManager({
            statPrefix: PUBLIC,
            useRemoteAddress: { value: true },
            // No `internalAddressConfig`: without it no client is internal, and `x-envoy-*` headers that would change
            // timeouts and retries are removed, whoever sends them. An empty one makes loopback internal (run on 1.40).
            normalizePath: { value: true },
            // Who asks whether to send a body (`Expect: 100-continue`) is told by the second hop, and so when the request has
            // its slot; who is refused keeps the body.
            proxy100Continue: true,
            requestHeadersTimeout: duration(REQUEST_HEADERS_MS),
            delayedCloseTimeout: duration(SLOW_READER_MS),
            httpProtocolOptions: { enableTrailers: true, acceptHttp10: true },
            earlyHeaderMutationExtensions: [
              extension('envoy.http.early_header_mutation.header_mutation', HeaderMutation, {
                mutations: [...Object.values(HEADERS), WORK_TIMEOUT_HEADER].map((remove) => ({ remove })),
              }),
            ],
            localReplyConfig: localReplies(services),
            ...requestLog(),
            ...routesByName(PUBLIC),
            httpFilters: [parkedScript(), router(turnLog())],
          }),
        ],
        ...(listen.tls === undefined ? {} : { transportSocket: tls() }),
      },
    ],
  });
}

function tls(): envoy.config.core.v3.TransportSocket.$Properties {
  return {
    name: 'envoy.transport_sockets.tls',
    typedConfig: pack(DownstreamTlsContext, {
      commonTlsContext: {
        alpnProtocols: ['h2', 'http/1.1'],
        // By name, so that Envoy rereads the files when they change.
        tlsCertificateSdsSecretConfigs: [
          {
            name: PUBLIC,
            sdsConfig: {
              resourceApiVersion: envoy.config.core.v3.ApiVersion.V3,
              ads: {},
              initialFetchTimeout: duration(0),
            },
          },
        ],
      },
    }),
  };
}
