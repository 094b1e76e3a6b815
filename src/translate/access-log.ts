import { envoy } from '#xds';
import { duration, pack } from './encode.ts';
import { METADATA, REQUEST_LOG, SERVICE_TAG } from './names.ts';

const { HttpGrpcAccessLogConfig } = envoy.extensions.access_loggers.grpc.v3;
const { AccessLogType } = envoy.data.accesslog.v3;
const { Op } = envoy.config.accesslog.v3.ComparisonFilter;

type AccessLog = envoy.config.accesslog.v3.AccessLog.$Properties;
type Filter = envoy.config.accesslog.v3.AccessLogFilter.$Properties;

/** Entries go out this often, or when the buffer is full. */
const FLUSH_MS = 200;

/**
 * The control plane is away, or slow: no request ever waits for it. Beyond this and what the stream takes (some 20 MB,
 * run: 54,000 entries) entries are dropped; a connection that hangs is closed after 15 s.
 */
const BUFFER_BYTES = 64 * 1024;

/** The cluster that the bootstrap has for the control plane. */
const CONTROL_PLANE = 'sluice';

/** Response flags of work that took longer than it may. */
const TIMEOUT_FLAGS = ['DT', 'UT', 'SI', 'UMSDR'];

/** An entry when a request comes, and one when it is over. */
export function requestLog() {
  return { accessLog: [log(REQUEST_LOG.requests)], accessLogOptions: { flushAccessLogOnNewRequest: true } };
}

/** An entry when a request's turn has come; of the very same log, so that all entries are in one order. */
export function turnLog() {
  return {
    upstreamLog: [log(REQUEST_LOG.requests, { logTypeFilter: { types: [AccessLogType.UpstreamPoolReady] } })],
    upstreamLogOptions: { flushUpstreamLogOnUpstreamStream: true },
  };
}

/** An entry for a request that the second hop gave up: the first hop only sees an answer like a pod's. */
export function timeoutLog() {
  const timeout: Filter = { responseFlagFilter: { flags: TIMEOUT_FLAGS } };
  // `max_stream_duration` sets no flag (run on 1.40), nor does the script's answer to who has waited too long.
  const filters = [timeout, statusIs(503), statusIs(504)];
  return { accessLog: [log(REQUEST_LOG.timeouts, { orFilter: { filters } })] };
}

function statusIs(status: number): Filter {
  // Envoy wants a runtime key, which is never set.
  const value = { defaultValue: status, runtimeKey: 'sluice.timeout_log.status' };
  return { statusCodeFilter: { comparison: { op: Op.EQ, value } } };
}

function log(logName: string, filter?: Filter): AccessLog {
  return {
    name: 'envoy.access_loggers.http_grpc',
    ...(filter === undefined ? {} : { filter }),
    typedConfig: pack(HttpGrpcAccessLogConfig, {
      commonConfig: {
        logName,
        transportApiVersion: envoy.config.core.v3.ApiVersion.V3,
        grpcService: { envoyGrpc: { clusterName: CONTROL_PLANE } },
        bufferFlushInterval: duration(FLUSH_MS),
        bufferSizeBytes: { value: BUFFER_BYTES },
        customTags: [
          {
            tag: SERVICE_TAG,
            metadata: { kind: { route: {} }, metadataKey: { key: METADATA, path: [{ key: 'service' }] } },
          },
        ],
      },
    }),
  };
}
