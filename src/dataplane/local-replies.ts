import { envoy } from '#xds';
import type { Service } from '../model/service.ts';
import { HEADERS, LONGEST_WAIT_KEY, METADATA, RETRY_AFTER_KEY, WAITED_KEY } from './contract.ts';
import { wrap } from './encode.ts';

const { HeaderValueOption } = envoy.config.core.v3;

type ResponseMapper = envoy.extensions.filters.network.http_connection_manager.v3.ResponseMapper.$Properties;
type LocalReplyConfig = envoy.extensions.filters.network.http_connection_manager.v3.LocalReplyConfig.$Properties;
type AccessLogFilter = envoy.config.accesslog.v3.AccessLogFilter.$Properties;
type Format = envoy.config.core.v3.SubstitutionFormatString.$Properties;

const SERVICE = `%METADATA(ROUTE:${METADATA}:service)%`;

/** An answer that Envoy makes itself: which flags it stands for, its status, its words. */
interface Reply {
  /** How it is told from others: all of these hold. None: every other local reply. */
  readonly when: readonly AccessLogFilter[];
  readonly error: string;
  readonly message: string;
  readonly status?: number;
  /** The status for gRPC clients, in place of what Envoy makes of the HTTP status. */
  readonly grpcStatus?: number;
  /** Whole seconds, or an operator of Envoy's that stands for them. */
  readonly retryAfter?: string;
  /** At the second hop: the first may send the request again, to where its service is now. */
  readonly again?: true;
  /** More fields of the JSON form, by name. */
  readonly fields?: Readonly<Record<string, string>>;
}

const FULL: Reply = {
  when: [flagFilter('UO')],
  error: 'line full',
  message: `%METADATA(ROUTE:${METADATA}:full)%`,
  status: 429,
  grpcStatus: 8, // RESOURCE_EXHAUSTED
  retryAfter: `%METADATA(ROUTE:${METADATA}:retry_after)%`,
  fields: {
    limit: `%METADATA(ROUTE:${METADATA}:limit)%`,
    queue_max: `%METADATA(ROUTE:${METADATA}:queue_max)%`,
    max_requests: `%METADATA(ROUTE:${METADATA}:max_requests)%`,
  },
};

const WAITED = `%DYNAMIC_METADATA(${METADATA}:${WAITED_KEY})%`;
const LONGEST_WAIT = `%DYNAMIC_METADATA(${METADATA}:${LONGEST_WAIT_KEY})%`;

/**
 * At the first hop a cluster is missing only where the Envoy does not carry the service: clusters come before the routes
 * that lead to them. Without `retry-after`: this Envoy will not soon have it.
 */
const NOT_HERE: Reply = {
  when: [flagFilter('NC')],
  error: 'not carried here',
  message: `This Envoy does not carry ${SERVICE}: another Envoy has it, or the node metadata of this one leaves it out (sluice status tells). No pod has seen the request.`,
};

const NO_ROUTE: Reply = {
  when: [flagFilter('NR')],
  error: 'no route',
  message: 'No route of the route file takes this host, path and method.',
  grpcStatus: 12, // UNIMPLEMENTED
};

/** Those of both hops. */
const OTHERS: readonly Reply[] = [
  {
    // UMSDR. Its status is 408 while the request is still being sent.
    when: [flagFilter('DT', 'UT', 'SI', 'UMSDR')],
    error: 'work timeout',
    message: `A pod of ${SERVICE} worked on this request longer than timeout.request allows; it was given up.`,
    status: 504,
    grpcStatus: 4, // DEADLINE_EXCEEDED
  },
  {
    when: [waitedFilter()],
    error: 'waited too long',
    message: `The request waited ${WAITED} ms for a free pod of ${SERVICE}; queue.timeout allows ${LONGEST_WAIT} ms. No pod has seen it.`,
    retryAfter: `%DYNAMIC_METADATA(${METADATA}:${RETRY_AFTER_KEY})%`,
    fields: { waited_ms: WAITED, longest_wait_ms: LONGEST_WAIT },
  },
  {
    // NC, at the second hop: an edit took the cluster away in which the request waited for a pod.
    when: [flagFilter('UF', 'URX', 'UH', 'NC')],
    error: 'no pod reachable',
    message: `No pod of ${SERVICE} could be reached. No pod has seen the request.`,
    retryAfter: '1',
    again: true,
  },
  {
    // While a request waited to be tried again more of its body came than Envoy may hold.
    when: [statusFilter(507)],
    error: 'no pod reachable',
    message: `No pod of ${SERVICE} could be reached, and the body is too large to wait for one. No pod has seen the request.`,
    status: 503,
    retryAfter: '1',
  },
  {
    when: [flagFilter('UC', 'UR', 'UPE')],
    error: 'pod failed',
    message: `The pod of ${SERVICE} that worked on this request broke off. It was not sent to another pod, since the work may have begun.`,
    status: 502,
  },
  { when: [], error: 'refused', message: 'Envoy answered this request itself: %RESPONSE_CODE_DETAILS%.' },
];

/**
 * Bodies for every answer that Envoy makes itself: JSON, or plain text for clients that ask for text.
 * `services`: those whose refusal may be met; a status other than 429 needs a mapper of its own.
 */
export function localReplies(services: readonly Service[]): LocalReplyConfig {
  const statuses = [...new Set(services.map((service) => fullStatus(service)))].filter((status) => status !== 429);
  const custom = statuses.sort((a, b) => a - b).map((status) => ({ ...FULL, status }));
  return {
    mappers: [
      ...custom.flatMap((reply) => mappers(reply, [headerFilter(HEADERS.fullStatus, { exact: String(reply.status) })])),
      ...[FULL, NO_ROUTE, NOT_HERE, ...OTHERS].flatMap((reply) => mappers(reply, [])),
    ],
  };
}

/** The same for the second hop, where no line can be full and a route is always found. */
export function podsReplies(): LocalReplyConfig {
  return { mappers: OTHERS.flatMap((reply) => mappers(reply, [])) };
}

function fullStatus({ discipline }: Service): number {
  return discipline.kind === 'limited' ? discipline.queue.fullStatus : discipline.fullStatus;
}

/** The form for gRPC, the text form for clients that ask for text and not for JSON, and JSON for all others. */
function mappers(reply: Reply, conditions: readonly AccessLogFilter[]): readonly ResponseMapper[] {
  const when = [...reply.when, ...conditions];
  const isGrpc = headerFilter('content-type', { prefix: 'application/grpc' });
  const wantsText = headerFilter('accept', { prefix: 'text/' });
  const { message, grpcStatus, retryAfter: after, again } = reply;
  const retryAfter = [
    ...(after === undefined ? [] : [overwrite('retry-after', after)]),
    // The first hop looks for it, and takes it out of what goes to the client.
    ...(again ? [overwrite(HEADERS.again, 1)] : []),
  ];
  const status = reply.status === undefined ? {} : { statusCode: { value: reply.status } };
  return [
    {
      ...status,
      filter: all([...when, isGrpc]),
      // The text becomes the grpc-message as it is.
      bodyFormatOverride: textFormat(message),
      headersToAdd: [
        ...retryAfter,
        // The same in milliseconds, for clients with a retry policy (gRFC A6).
        ...(after === undefined ? [] : [overwrite('grpc-retry-pushback-ms', `${after}000`)]),
        ...(grpcStatus === undefined ? [] : [overwrite('grpc-status', grpcStatus)]),
      ],
    },
    {
      ...status,
      filter: all([...when, wantsText]),
      bodyFormatOverride: textFormat(`${message}\n`),
      headersToAdd: retryAfter,
    },
    {
      ...status,
      filter: all(when.length === 0 ? [ANY_STATUS] : when),
      bodyFormatOverride: jsonFormat(reply),
      headersToAdd: retryAfter,
    },
  ];
}

function overwrite(key: string, value: number | string): envoy.config.core.v3.HeaderValueOption.$Properties {
  const { OVERWRITE_IF_EXISTS_OR_ADD } = HeaderValueOption.HeaderAppendAction;
  return { header: { key, value: String(value) }, appendAction: OVERWRITE_IF_EXISTS_OR_ADD };
}

function textFormat(inlineString: string): Format {
  return { textFormatSource: { inlineString }, contentType: 'text/plain; charset=utf-8' };
}

function jsonFormat({ error, message, fields = {} }: Reply): Format {
  const field = (stringValue: string) => ({ stringValue });
  // A value that is one operator and nothing else keeps its type: a number stays a number.
  const more = Object.entries(fields).map(([name, value]) => [name, field(value)]);
  return {
    jsonFormat: {
      fields: {
        error: field(error),
        message: field(message),
        service: field(SERVICE),
        status: field('%RESPONSE_CODE%'),
        ...Object.fromEntries(more),
      },
    },
    contentType: 'application/json',
    omitEmptyValues: true,
  };
}

/** One of these response flags (`%RESPONSE_FLAGS%`). */
function flagFilter(...flags: readonly string[]): AccessLogFilter {
  return { responseFlagFilter: { flags: [...flags] } };
}

/** This status, given by Envoy itself. */
function statusFilter(status: number): AccessLogFilter {
  return statusIs(envoy.config.accesslog.v3.ComparisonFilter.Op.EQ, status);
}

/** The second hop has noted that the request waited too long. */
function waitedFilter(): AccessLogFilter {
  const matcher = { filter: METADATA, path: [{ key: WAITED_KEY }], value: { presentMatch: true } };
  return { metadataFilter: { matcher, matchIfKeyNotFound: wrap(false) } };
}

function headerFilter(name: string, stringMatch: envoy.type.matcher.v3.StringMatcher.$Properties): AccessLogFilter {
  return { headerFilter: { header: { name, stringMatch } } };
}

/** Holds for every answer: a mapper must have a filter. */
const ANY_STATUS = statusIs(envoy.config.accesslog.v3.ComparisonFilter.Op.GE, 0);

function statusIs(op: envoy.config.accesslog.v3.ComparisonFilter.Op, status: number): AccessLogFilter {
  // Envoy wants a runtime key, which is never set.
  const value = { defaultValue: status, runtimeKey: 'sluice.local_reply.status' };
  return { statusCodeFilter: { comparison: { op, value } } };
}

/** Envoy's AND takes at least two. */
function all(filters: readonly AccessLogFilter[]): AccessLogFilter {
  const [first, ...others] = filters;
  if (first === undefined) throw new Error('a mapper needs a filter');
  return others.length === 0 ? first : { andFilter: { filters: [...filters] } };
}
