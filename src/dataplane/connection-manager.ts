import { envoy } from '#xds';
import { duration, extension, wrap } from './encode.ts';

const { HttpConnectionManager } = envoy.extensions.filters.network.http_connection_manager.v3;
const { Router } = envoy.extensions.filters.http.router.v3;

/** Settings of an HTTP connection manager. */
export type ConnectionManager =
  envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager.$Properties;
/** One HTTP filter of a connection manager. */
export type HttpFilter = envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter.$Properties;

/** Where Envoy asks for what is named: the stream that it has anyway. */
export const ADS: envoy.config.core.v3.ConfigSource.$Properties = {
  resourceApiVersion: envoy.config.core.v3.ApiVersion.V3,
  ads: {},
  // 0: wait for it rather than go on without.
  initialFetchTimeout: duration(0),
};

/** The last filter of every chain: sends the request on, with `properties` on top of what all of them have. */
export function router(properties: envoy.extensions.filters.http.router.v3.Router.$Properties = {}): HttpFilter {
  return extension('envoy.filters.http.router', Router, { suppressEnvoyHeaders: true, ...properties });
}

/** The network filter with what all of Sluice's listeners have in common, and `properties` on top. */
export function connectionManager(properties: ConnectionManager) {
  return extension('envoy.filters.network.http_connection_manager', HttpConnectionManager, {
    // Waiting counts as idle for Envoy, which would end it after five minutes.
    streamIdleTimeout: duration(0),
    ...properties,
  });
}

/**
 * HTTP/2 of clients. Many requests of one connection may wait at the same time: none may be kept from the queue by
 * others' unread bodies, so the connection's window is far larger than a stream's.
 */
export const CLIENT_HTTP2: envoy.config.core.v3.Http2ProtocolOptions.$Properties = {
  maxConcurrentStreams: wrap(1_000_000),
  initialStreamWindowSize: wrap(256 * 1024),
  initialConnectionWindowSize: wrap(1024 * 1024 * 1024),
};
