import type { envoy } from '#xds';
import type { HeaderBounds } from '../model/header-bounds.ts';
import type { Service } from '../model/service.ts';
import { DETAILS, METADATA, ROUTE_KEYS } from './contract.ts';
import type { TranslateOptions } from './options.ts';
import {
  anyStatus,
  byDetails,
  byDetailsFrom,
  byFlags,
  byRoute,
  mappers,
  type Reply,
  untouched,
} from './reply-mappers.ts';

type LocalReplyConfig = envoy.extensions.filters.network.http_connection_manager.v3.LocalReplyConfig.$Properties;

const SERVICE = `%METADATA(ROUTE:${METADATA}:${ROUTE_KEYS.service})%`;

/** A text that the route has for its service. */
const OF_SERVICE = {
  full: `%METADATA(ROUTE:${METADATA}:${ROUTE_KEYS.full})%`,
  waitTimeout: `%METADATA(ROUTE:${METADATA}:${ROUTE_KEYS.waitTimeout})%`,
};

/** Whoever refuses: no pod has seen the request. */
const FULL = {
  error: 'queue full',
  message: OF_SERVICE.full,
  grpcStatus: 8, // RESOURCE_EXHAUSTED
} as const;

/** The VM of the filter has failed: its guard says so, or Envoy. */
const QUEUE_FAILED = {
  error: 'queue failed',
  message:
    'The queue inside this Envoy has failed and is being started again. Whether a pod has seen the request is not known.',
  retryAfter: '1',
} as const;

/** What the filter has written: it alone knows whose the request is. */
const BY_FILTER_ITSELF = '%LOCAL_REPLY_BODY%';

/** By the queue filter, which has set their statuses. */
const BY_FILTER: readonly Reply[] = [
  { ...FULL, when: byDetails(DETAILS.full), retryAfter: 'set' },
  {
    when: byDetails(DETAILS.tenantFull),
    error: 'tenant full',
    message: BY_FILTER_ITSELF,
    grpcStatus: 8, // RESOURCE_EXHAUSTED
    retryAfter: 'set',
  },
  {
    when: byDetails(DETAILS.tooCostly),
    error: 'too costly',
    message: BY_FILTER_ITSELF,
    grpcStatus: 3, // INVALID_ARGUMENT
  },
  {
    when: byDetails(DETAILS.deadline),
    error: 'deadline',
    message: `No pod of ${SERVICE} was free for this request in time for its deadline. No pod has seen it.`,
    grpcStatus: 4, // DEADLINE_EXCEEDED
  },
  { when: byDetails(DETAILS.waitTimeout), error: 'waited too long', message: OF_SERVICE.waitTimeout, retryAfter: '1' },
  {
    when: byDetails(DETAILS.duplicate),
    error: 'duplicate',
    message: `A request for ${SERVICE} with the same key waits or runs. No pod has seen this one.`,
    retryAfter: 'set',
  },
  {
    when: byDetails(DETAILS.cancelled),
    error: 'cancelled',
    message: `This request for ${SERVICE} was cancelled while it waited. No pod has seen it.`,
  },
  {
    when: byDetails(DETAILS.removed),
    error: 'service removed',
    message: `The service ${SERVICE} was removed while this request waited. No pod has seen it.`,
  },
  {
    when: byDetails(DETAILS.noState),
    error: 'not ready',
    message: `This Envoy has not been told which pods ${SERVICE} has: it cannot reach Sluice. No pod has seen the request.`,
    retryAfter: '1',
  },
  {
    when: byDetails(DETAILS.tooMany),
    error: 'out of room',
    message: 'This Envoy holds as many requests as it can. No pod has seen this one.',
    retryAfter: '1',
  },
  {
    when: byDetails(DETAILS.podRemoved),
    error: 'no pod reachable',
    message: `A pod of ${SERVICE} could not be reached, and the next one has just been removed. No pod has seen the request.`,
    retryAfter: '1',
  },
  {
    when: byDetails(DETAILS.renewed),
    error: 'queue replaced',
    message: 'The queue inside this Envoy was replaced by a newer one while this request waited. No pod has seen it.',
    retryAfter: '1',
  },
  { ...QUEUE_FAILED, when: byDetails(DETAILS.restarted) },
  { ...QUEUE_FAILED, when: byDetails(DETAILS.failed) },
];

/** By Envoy's router, about a service and its pods. */
const BY_ROUTER: readonly Reply[] = [
  {
    when: byFlags('NR'),
    error: 'no route',
    message: 'No route takes this host, path and method.',
    grpcStatus: 12, // UNIMPLEMENTED
  },
  {
    when: [...byFlags('NC'), ...byRoute(ROUTE_KEYS.missing, 1)],
    error: 'no backend',
    message: 'The backend that this request was to go to is not there. No pod has seen it.',
  },
  {
    // Clusters come before the routes that lead to them, so one is missing only where the Envoy does not carry the service.
    // Without `retry-after`: this Envoy will not soon have it.
    when: byFlags('NC'),
    error: 'not carried here',
    message: `This Envoy does not carry ${SERVICE}: its node metadata leaves it out, or slots cannot be shared with it (sluice status tells). No pod has seen the request.`,
  },
  {
    // UMSDR. Its status is 408 while the request is still being sent.
    when: byFlags('DT', 'UT', 'SI', 'UMSDR'),
    error: 'work timeout',
    message: `A pod of ${SERVICE} worked on this request longer than timeout.request allows; it was given up.`,
    status: 504,
    grpcStatus: 4, // DEADLINE_EXCEEDED
  },
  {
    when: byFlags('UF', 'URX', 'UH'),
    error: 'no pod reachable',
    message: `No pod of ${SERVICE} could be reached. No pod has seen the request.`,
    retryAfter: '1',
  },
  {
    // While a request waited to be tried again more of its body came than Envoy may hold.
    when: byDetails('request_payload_exceeded_retry_buffer_limit'),
    error: 'no pod reachable',
    message: `No pod of ${SERVICE} could be reached, and the body is too large to wait for one. No pod has seen the request.`,
    status: 503,
    retryAfter: '1',
  },
  {
    when: byFlags('UC', 'UR', 'LR'),
    error: 'pod failed',
    message: `The pod of ${SERVICE} that worked on this request broke off. It was not sent to another pod, since the work may have begun.`,
    status: 502,
  },
];

/** By Envoy, about what of an answer or a request it cannot read. */
function unreadable({ lines, size }: HeaderBounds): readonly Reply[] {
  const tooMuch = `more than ${lines} header lines or ${size / 1024} KB of headers`;
  const unreadableAnswer = {
    error: 'unreadable answer',
    message: `A pod of ${SERVICE} sent an unreadable answer: no valid HTTP, a 101 that nobody asked for, or ${tooMuch}. It was not sent to another pod, since the work may be done.`,
    status: 502,
  };
  return [
    { ...unreadableAnswer, when: byFlags('UPE') },
    { ...unreadableAnswer, when: byDetails(DETAILS.unasked) },
    {
      when: byDetails(
        'request_headers_too_large',
        'http1.headers_too_large',
        'http1.too_many_headers',
        'http2.too_many_headers',
      ),
      error: 'headers too large',
      message: `The request has ${tooMuch}.`,
    },
  ];
}

/** By Envoy, about the request itself: before there is a route, let alone a queue. */
const ABOUT_REQUESTS: readonly Reply[] = [
  {
    when: byDetails('missing_host_header', 'missing_host'),
    error: 'no host',
    message: 'The request names no host: HTTP/1.1 needs a Host header.',
  },
  {
    when: byDetails('http1.codec_error', 'http1.invalid_url'),
    error: 'unreadable request',
    message: 'This is no HTTP request that can be read. In a URL, percent-encode everything but plain ASCII.',
  },
  {
    when: byDetails('http1.content_length_and_chunked_not_allowed'),
    error: 'unreadable request',
    message: 'The request has a Content-Length and a Transfer-Encoding: only one of them may be there.',
  },
  {
    when: byDetailsFrom('http1.'),
    error: 'unreadable request',
    message: 'The request is no valid HTTP: %RESPONSE_CODE_DETAILS%.',
  },
  {
    when: byDetails('path_normalization_failed', 'missing_path_rejected', 'absolute_path_rejected'),
    error: 'unreadable path',
    message: 'The path of the request cannot be read: it must begin with /, be percent-encoded, and have no #.',
  },
  {
    when: byDetails('request_header_timeout'),
    error: 'request too slow',
    message: 'The headers of the request did not come within a minute.',
  },
  {
    when: byDetailsFrom('rbac_access_denied'),
    error: 'not let in',
    message: 'The route of this request takes only some clients, by their addresses. No pod has seen it.',
  },
  {
    when: byDetails('upgrade_failed'),
    error: 'no such upgrade',
    message: 'Of upgrades only WebSocket is served.',
  },
];

/** A route's own answer stays as it is written; so does what the filter was asked for. */
const OWN_ANSWER = untouched(byDetails('direct_response', DETAILS.answer, DETAILS.joined));

const OTHER: Reply = {
  when: anyStatus(),
  error: 'refused',
  message: 'Envoy answered this request itself: %RESPONSE_CODE_DETAILS%.',
};

/**
 * Bodies for every answer that Envoy or the filter gives itself: JSON, or plain text for clients that ask for text, or what
 * gRPC has. `services`: those whose refusal may be met; a status other than 429 needs a mapper of its own.
 */
export function localReplies(
  services: readonly Service[],
  { filter }: TranslateOptions,
  bounds: HeaderBounds,
): LocalReplyConfig {
  // The filter gives its refusals their status itself.
  const byEnvoy = services.filter(({ discipline }) => discipline.kind === 'balanced' || filter.kind === 'off');
  const statuses = new Set([USUAL_OTHER, ...byEnvoy.map(({ discipline }) => fullStatusOf(discipline))]);
  const overflow = [...statuses]
    .filter((status) => status !== 429)
    .sort((a, b) => a - b)
    .map(fullWith);
  const replies = [
    ...BY_FILTER,
    ...overflow,
    FULL_BY_ENVOY,
    ...BY_ROUTER,
    ...unreadable(bounds),
    ...ABOUT_REQUESTS,
    OTHER,
  ];
  return { mappers: [OWN_ANSWER, ...replies.flatMap(mappers)] };
}

/** Always there, so that the first service that has it changes no listener, which would close connections. */
const USUAL_OTHER = 503;

/** Envoy's circuit breakers refuse: of services without a limit, and of all where the filter is off. */
const FULL_BY_ENVOY: Reply = {
  ...FULL,
  when: byFlags('UO'),
  status: 429,
  retryAfter: '1',
};

function fullWith(status: number): Reply {
  return { ...FULL_BY_ENVOY, when: [...byFlags('UO'), ...byRoute(ROUTE_KEYS.fullStatus, status)], status };
}

/** The status of a refusal. */
export function fullStatusOf(discipline: Service['discipline']): number {
  return discipline.kind === 'limited' ? discipline.queue.fullStatus : discipline.fullStatus;
}
