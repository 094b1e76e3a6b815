import { envoy } from '#xds';
import { METADATA, REQUEST_LOG, SERVICE_TAG } from './contract.ts';
import { duration, extension, pack } from './encode.ts';
import { FRACTION, SAMPLES, sampleKey, sampleLogName } from './sampling.ts';

const { HttpGrpcAccessLogConfig } = envoy.extensions.access_loggers.grpc.v3;
const { ExpressionFilter } = envoy.extensions.access_loggers.filters.cel.v3;
const { AccessLogType } = envoy.data.accesslog.v3;
const { DenominatorType } = envoy.type.v3.FractionalPercent;
const { Op } = envoy.config.accesslog.v3.ComparisonFilter;

type AccessLog = envoy.config.accesslog.v3.AccessLog.$Properties;
type Filter = envoy.config.accesslog.v3.AccessLogFilter.$Properties;
type Operator = envoy.config.accesslog.v3.ComparisonFilter.Op;

/**
 * Entries go out this often, or when the buffer is full. Few large messages cost less than many small ones, and nobody
 * sees the difference: what they say is shown twice a second.
 */
const FLUSH_MS = 500;

/**
 * The control plane is away, or slow: no request ever waits for it. Beyond this and what the stream takes (some 20 MB,
 * run: 54,000 entries) entries are dropped; a connection that hangs is closed after 15 s.
 */
const BUFFER_BYTES = 256 * 1024;

/**
 * How long a request has waited when it is first told of. Most never wait so long: they have one entry, at their end.
 * Envoy looks at every request this often, those at pods too.
 */
const WAIT_STEP_MS = 1000;

/**
 * Whoever waits for longer is told of again now and then: in one of so many looks. So an entry that was lost, or that
 * came before the control plane did, is made up for.
 */
const AGAIN = 0.1 * FRACTION;

/** The cluster that the bootstrap has for the control plane. */
const CONTROL_PLANE = 'sluice';

/** An ejection is learned of this late at most when the pod still answers; when it does not, at once. */
const FAILURE_FLUSH_MS = 50;

/** Response flags of a try that broke: no connection, a connection or an answer that ends too early, no HTTP. */
const BROKEN_FLAGS = ['UF', 'UC', 'UR', 'LR', 'UPE', 'UT'];

/** Response flags of work that took longer than it may. */
const TIMEOUT_FLAGS = ['DT', 'UT', 'SI', 'UMSDR'];

/** Response flags of a request whose client has left. */
const LEFT_FLAGS = ['DC', 'DR'];

/** An entry when a request is over, or for a sample of those answered or refused; and before, of one that waits long. */
export function requestLog() {
  const first = lasted(Op.LE, 2 * WAIT_STEP_MS - 1);
  const again = chosen(`${RUNTIME_KEY}.again`, AGAIN);
  const stillWaits = all(ofType(AccessLogType.DownstreamPeriodic), any(first, again), HAS_NO_SLOT);
  const isOver = ofType(AccessLogType.DownstreamEnd);
  // Whoever reads the samples leaves these out (`requestEvent`).
  const isOdd = any(status(Op.GE, 500), status(Op.LE, 0), flagged([...TIMEOUT_FLAGS, ...LEFT_FLAGS]));
  const ended = all(isOver, any(chosen(sampleKey(1), FRACTION), isOdd));
  const samples = SAMPLES.filter((oneIn) => oneIn > 1).map((oneIn) =>
    log(sampleLogName(REQUEST_LOG.requests, oneIn), all(isOver, chosen(sampleKey(oneIn), 0))),
  );
  return {
    accessLog: [log(REQUEST_LOG.requests, any(ended, stillWaits)), ...samples],
    accessLogOptions: { accessLogFlushInterval: duration(WAIT_STEP_MS) },
  };
}

/**
 * An entry when the turn has come of a request that may have been told of; of the very same log, so that all entries
 * are in one order.
 */
export function turnLog() {
  const waited = lasted(Op.GE, WAIT_STEP_MS * 0.9);
  return {
    upstreamLog: [log(REQUEST_LOG.requests, all(ofType(AccessLogType.UpstreamPoolReady), waited))],
    upstreamLogOptions: { flushUpstreamLogOnUpstreamStream: true },
  };
}

/** An entry for a request that the second hop gave up: the first hop only sees an answer like a pod's. */
export function timeoutLog() {
  // The script's answer to who has waited too long sets no flag.
  return { accessLog: [log(REQUEST_LOG.timeouts, any(flagged(TIMEOUT_FLAGS), status(Op.EQ, 503)))] };
}

/**
 * An entry for each try at a pod that has failed, whatever became of the request: after it the pod may be ejected, which
 * Envoy itself tells nobody. A try that breaks ejects its pod, so these are few, and each is told at once.
 */
export function failureLog() {
  return {
    upstreamLog: [
      log(REQUEST_LOG.failures, flagged(BROKEN_FLAGS), { flushMs: FLUSH_MS, bufferBytes: 0 }),
      log(REQUEST_LOG.failures, status(Op.GE, 500), { flushMs: FAILURE_FLUSH_MS, bufferBytes: BUFFER_BYTES }),
    ],
  };
}

/** Envoy wants runtime keys; but for those of the samples they are never set. */
const RUNTIME_KEY = 'sluice.access_log';

function status(op: Operator, code: number): Filter {
  const value = { defaultValue: code, runtimeKey: `${RUNTIME_KEY}.status` };
  return { statusCodeFilter: { comparison: { op, value } } };
}

function flagged(flags: string[]): Filter {
  return { responseFlagFilter: { flags } };
}

/** Whoever has its slot is told of at its end: most requests are at pods, and each entry costs. */
const HAS_NO_SLOT: Filter = {
  extensionFilter: extension('envoy.access_loggers.extension_filters.cel', ExpressionFilter, {
    expression: '!has(upstream.cx_pool_ready_duration)',
  }),
};

/** How long ago it came, in milliseconds. */
function lasted(op: Operator, ms: number): Filter {
  return { durationFilter: { comparison: { op, value: { defaultValue: ms, runtimeKey: `${RUNTIME_KEY}.ms` } } } };
}

/** So many of `FRACTION`, unless the runtime says otherwise. */
function chosen(runtimeKey: string, numerator: number): Filter {
  return {
    runtimeFilter: {
      runtimeKey,
      percentSampled: { numerator, denominator: DenominatorType.MILLION },
      // Otherwise the request's id decides: always the same way.
      useIndependentRandomness: true,
    },
  };
}

function ofType(type: envoy.data.accesslog.v3.AccessLogType): Filter {
  return { logTypeFilter: { types: [type] } };
}

function any(...filters: Filter[]): Filter {
  return { orFilter: { filters } };
}

function all(...filters: Filter[]): Filter {
  return { andFilter: { filters } };
}

/** When the entries of a log go out. */
interface Batches {
  readonly flushMs: number;
  readonly bufferBytes: number;
}

const USUAL: Batches = { flushMs: FLUSH_MS, bufferBytes: BUFFER_BYTES };

function log(logName: string, filter: Filter, { flushMs, bufferBytes } = USUAL): AccessLog {
  return {
    name: 'envoy.access_loggers.http_grpc',
    filter,
    typedConfig: pack(HttpGrpcAccessLogConfig, {
      commonConfig: {
        logName,
        transportApiVersion: envoy.config.core.v3.ApiVersion.V3,
        grpcService: { envoyGrpc: { clusterName: CONTROL_PLANE } },
        bufferFlushInterval: duration(flushMs),
        bufferSizeBytes: { value: bufferBytes },
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
