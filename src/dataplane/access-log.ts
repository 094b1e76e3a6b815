import { envoy } from '#xds';
import type { HostPort } from '../base/host-port.ts';
import { type AccessLog, STANDARD_OUTPUT } from '../model/access-log.ts';
import { collectorService } from './collector.ts';
import { DETAILS, FACTS } from './contract.ts';
import { extension, struct } from './encode.ts';
import { expression } from './reply-mappers.ts';

const { FileAccessLog } = envoy.extensions.access_loggers.file.v3;
const { StdoutAccessLog } = envoy.extensions.access_loggers.stream.v3;
const { OpenTelemetryAccessLogConfig } = envoy.extensions.access_loggers.open_telemetry.v3;
const { ApiVersion } = envoy.config.core.v3;

type Logger = envoy.config.accesslog.v3.AccessLog.$Properties;
type Format = envoy.config.core.v3.SubstitutionFormatString.$Properties;

/** Numbers of Envoy's response flags: which bit of `response.flags` each is. */
const FLAG_BITS = {
  UH: 1,
  UT: 2,
  LR: 3,
  UR: 4,
  UF: 5,
  UC: 6,
  UO: 7,
  NR: 8,
  DC: 14,
  URX: 15,
  SI: 16,
  UMSDR: 19,
  DT: 22,
  UPE: 23,
  NC: 24,
} as const;

/**
 * Why a request ended: the first condition that holds counts. They are CEL, which Envoy evaluates when it writes a line. The
 * words are those of `error` in the answers of local-replies.ts.
 */
const ENDINGS: readonly (readonly [word: string, condition: string])[] = [
  ['queue full', is(DETAILS.full)],
  ['tenant full', is(DETAILS.tenantFull)],
  ['too costly', is(DETAILS.tooCostly)],
  ['deadline', is(DETAILS.deadline)],
  ['waited too long', is(DETAILS.waitTimeout)],
  ['duplicate', is(DETAILS.duplicate)],
  ['cancelled', is(DETAILS.cancelled)],
  ['service removed', is(DETAILS.removed)],
  ['not ready', is(DETAILS.noState)],
  ['out of room', is(DETAILS.tooMany)],
  ['queue failed', is(DETAILS.restarted, DETAILS.failed)],
  ['queue replaced', is(DETAILS.renewed)],
  ['no pod reachable', is(DETAILS.podRemoved)],
  ['client gave up', flags('DC')],
  ['pod failed', `response.code_details.startsWith('upstream_reset_after_response_started')`],
  ['no route', flags('NR')],
  ['not carried here', flags('NC')],
  ['work timeout', flags('DT', 'UT', 'SI', 'UMSDR')],
  ['no pod reachable', `${flags('UF', 'URX', 'UH')} || ${is('request_payload_exceeded_retry_buffer_limit')}`],
  ['pod failed', flags('UC', 'UR', 'LR')],
  ['queue full', flags('UO')],
  ['unreadable answer', `${flags('UPE')} || ${is(DETAILS.unasked)}`],
  // The answer of a pod too, which a request with the same key got from it.
  ['answered', is('via_upstream', DETAILS.joined)],
  ['answered by Envoy', is('direct_response', DETAILS.answer)],
];

function is(...details: readonly string[]): string {
  return details.map((one) => `response.code_details == '${one}'`).join(' || ');
}

/** One of these flags is set. CEL has no operators for bits. */
function flags(...names: readonly (keyof typeof FLAG_BITS)[]): string {
  return names.map((name) => `response.flags / ${2 ** FLAG_BITS[name]} % 2 == 1`).join(' || ');
}

const ENDED = `%CEL(${ENDINGS.map(([word, condition]) => `${condition} ? '${word}' : `).join('')}'refused')%`;

/** What a line says, in the order of the text form. A value that is one operator alone keeps its type in JSON, but for those of the filter. */
const FIELDS = {
  time: '%START_TIME%',
  client: '%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%',
  method: '%REQ(:METHOD)%',
  host: '%REQ(:AUTHORITY)%',
  path: '%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%',
  protocol: '%PROTOCOL%',
  status: '%RESPONSE_CODE%',
  grpc_status: '%GRPC_STATUS_NUMBER%',
  ended: ENDED,
  route: '%ROUTE_NAME%',
  service: '%UPSTREAM_CLUSTER%',
  pod: '%UPSTREAM_HOST%',
  tries: '%UPSTREAM_REQUEST_ATTEMPT_COUNT%',
  class: fact(FACTS.class),
  place: fact(FACTS.place),
  wait_ms: fact(FACTS.wait),
  work_ms: fact(FACTS.work),
  first_byte_ms: '%RESPONSE_DURATION%',
  duration_ms: '%DURATION%',
  bytes_in: '%BYTES_RECEIVED%',
  bytes_out: '%BYTES_SENT%',
  details: '%RESPONSE_CODE_DETAILS%',
  request_id: '%REQ(X-REQUEST-ID)%',
  user_agent: '%REQ(USER-AGENT)%',
} as const;

/**
 * What the filter says, as a text also in JSON: CEL could make a number of it, but Envoy 1.40 ends with a segmentation fault when CEL
 * reads filter state of a Wasm filter.
 */
function fact(name: string): string {
  return `%FILTER_STATE(${name}:PLAIN)%`;
}

/** A line for people: of one width in front, names where a number alone would say nothing. */
const TEXT = [
  FIELDS.time,
  FIELDS.client,
  FIELDS.status,
  `"${FIELDS.method} ${FIELDS.host}${FIELDS.path} ${FIELDS.protocol}"`,
  `"${FIELDS.ended}"`,
  `service=${FIELDS.service}`,
  `pod=${FIELDS.pod}`,
  `class=${FIELDS.class}`,
  `place=${FIELDS.place}`,
  `wait=${FIELDS.wait_ms}ms`,
  `work=${FIELDS.work_ms}ms`,
  `duration=${FIELDS.duration_ms}ms`,
  `in=${FIELDS.bytes_in}`,
  `out=${FIELDS.bytes_out}`,
  `tries=${FIELDS.tries}`,
  `route=${FIELDS.route}`,
  `details=${FIELDS.details}`,
  `id=${FIELDS.request_id}`,
].join(' ');

/** What Envoy's access loggers are for a log. */
export function accessLoggers(log: AccessLog | undefined): readonly Logger[] {
  if (log === undefined) return [];
  const { file, otlp, requests, headers } = log;
  const loggers = [
    ...(file === undefined ? [] : [toFile(file, headers)]),
    ...(otlp === undefined ? [] : [toCollector(otlp, headers)]),
  ];
  return requests === 'all' ? loggers : loggers.map((logger) => ({ ...logger, filter: FAILED }));
}

/** Neither a pod's good answer, nor that of a redirect or of the filter to who asked it. */
const FAILED = expression(
  `response.flags != 0 || response.code >= 500 || !(response.code_details in ['via_upstream', 'direct_response', '${DETAILS.joined}', '${DETAILS.answer}'])`,
);

/** What is written of these headers, by the names of the fields. */
function ofHeaders(headers: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(headers.map((name) => [`headers.${name}`, `%REQ(${name})%`]));
}

function toFile({ path, format }: NonNullable<AccessLog['file']>, headers: readonly string[]): Logger {
  const logFormat: Format =
    format === 'text'
      ? {
          textFormatSource: {
            inlineString: `${[TEXT, ...headers.map((name) => `${name}="%REQ(${name})%"`)].join(' ')}\n`,
          },
        }
      : { jsonFormat: struct({ ...FIELDS, ...ofHeaders(headers) }), omitEmptyValues: true };
  // Its own logger for standard output works as well where that is no file that can be opened.
  return path === STANDARD_OUTPUT
    ? extension('envoy.access_loggers.stdout', StdoutAccessLog, { logFormat })
    : extension('envoy.access_loggers.file', FileAccessLog, { path, logFormat });
}

function toCollector(address: HostPort, headers: readonly string[]): Logger {
  const attributes = Object.entries({ ...FIELDS, ...ofHeaders(headers) })
    .filter(([name]) => name !== 'time')
    .map(([key, stringValue]) => ({ key, value: { stringValue } }));
  return extension('envoy.access_loggers.open_telemetry', OpenTelemetryAccessLogConfig, {
    commonConfig: {
      logName: 'sluice',
      grpcService: collectorService(address),
      transportApiVersion: ApiVersion.V3,
    },
    resourceAttributes: { values: [{ key: 'service.name', value: { stringValue: 'sluice' } }] },
    body: { stringValue: `${FIELDS.method} ${FIELDS.host}${FIELDS.path} ${FIELDS.status} ${FIELDS.ended}` },
    attributes: { values: attributes },
  });
}
