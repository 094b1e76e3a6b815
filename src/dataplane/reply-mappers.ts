import { envoy } from '#xds';
import { METADATA, ROUTE_KEYS } from './contract.ts';
import { extension } from './encode.ts';

const { HeaderValueOption } = envoy.config.core.v3;
const { ComparisonFilter } = envoy.config.accesslog.v3;
const { ExpressionFilter } = envoy.extensions.access_loggers.filters.cel.v3;

type ResponseMapper = envoy.extensions.filters.network.http_connection_manager.v3.ResponseMapper.$Properties;
type EnvoyHeader = envoy.config.core.v3.HeaderValueOption.$Properties;
type Format = envoy.config.core.v3.SubstitutionFormatString.$Properties;

/** Tells one local reply from others. */
export type Condition = envoy.config.accesslog.v3.AccessLogFilter.$Properties;

/** An answer that no pod has made: how it is told from others, its status, its words. */
export interface Reply {
  /** All of these hold. */
  readonly when: readonly Condition[];
  readonly error: string;
  /** Plain words. Envoy puts in what stands between `%`. */
  readonly message: string;
  /** Undefined: what it has is right. */
  readonly status?: number;
  /** The status for gRPC clients, in place of what Envoy makes of the HTTP status. */
  readonly grpcStatus?: number;
  /** Whole seconds; `set`: the answer has its `retry-after` already. */
  readonly retryAfter?: string;
}

/** The form for gRPC, the text form for clients that ask for text and not for JSON, and JSON for all others. */
export function mappers({ when, error, message, status, grpcStatus, retryAfter }: Reply): readonly ResponseMapper[] {
  const statusCode = status === undefined ? {} : { statusCode: { value: status } };
  const later = retryAfter === undefined || retryAfter === 'set' ? [] : [overwrite('retry-after', retryAfter)];
  const pushback = retryAfter === 'set' ? '%RESP(retry-after)%' : retryAfter;
  return [
    {
      ...statusCode,
      filter: all([...when, requestHeader('content-type', 'application/grpc')]),
      // The text becomes the grpc-message as it is.
      bodyFormatOverride: text(message),
      headersToAdd: [
        ...later,
        // The same in milliseconds, for clients with a retry policy (gRFC A6).
        ...(pushback === undefined ? [] : [overwrite('grpc-retry-pushback-ms', `${pushback}000`)]),
        ...(grpcStatus === undefined ? [] : [overwrite('grpc-status', String(grpcStatus))]),
      ],
    },
    {
      ...statusCode,
      filter: all([...when, WANTS_TEXT]),
      bodyFormatOverride: text(`${message}\n`),
      headersToAdd: later,
    },
    { ...statusCode, filter: all(when), bodyFormatOverride: json(error, message), headersToAdd: later },
  ];
}

/** Leaves these answers as they are. */
export function untouched(when: readonly Condition[]): ResponseMapper {
  return { filter: all(when) };
}

/** One of these response flags (`%RESPONSE_FLAGS%`). */
export function byFlags(...flags: readonly string[]): readonly Condition[] {
  return [{ responseFlagFilter: { flags: [...flags] } }];
}

/** One of these texts for why it was answered (`%RESPONSE_CODE_DETAILS%`). */
export function byDetails(...details: readonly string[]): readonly Condition[] {
  const list = details.map((detail) => `'${detail}'`).join(', ');
  return [expression(details.length === 1 ? `response.code_details == ${list}` : `response.code_details in [${list}]`)];
}

/** The text for why it was answered begins like this. */
export function byDetailsFrom(prefix: string): readonly Condition[] {
  return [expression(`response.code_details.startsWith('${prefix}')`)];
}

/** The route's metadata says so. */
export function byRoute(key: string, value: number): readonly Condition[] {
  return [expression(`xds.route_metadata.filter_metadata['${METADATA}']['${key}'] == ${value}.0`)];
}

/** Every answer: a mapper must have a condition. */
export function anyStatus(): readonly Condition[] {
  // Envoy wants a runtime key, which is never set.
  const value = { defaultValue: 0, runtimeKey: 'sluice.local_reply.status' };
  return [{ statusCodeFilter: { comparison: { op: ComparisonFilter.Op.GE, value } } }];
}

/** Or gets no body at all: there are clients that read an empty body as JSON when they are told that it is. */
const WANTS_TEXT: Condition = {
  orFilter: { filters: [requestHeader('accept', 'text/'), requestHeader(':method', 'HEAD')] },
};

/** What CEL says of a request that is over. */
export function expression(text: string): Condition {
  return {
    extensionFilter: extension('envoy.access_loggers.extension_filters.cel', ExpressionFilter, { expression: text }),
  };
}

function requestHeader(name: string, prefix: string): Condition {
  return { headerFilter: { header: { name, stringMatch: { prefix } } } };
}

/** Envoy's AND takes at least two. */
function all(conditions: readonly Condition[]): Condition {
  const [first, ...others] = conditions;
  if (first === undefined) throw new Error('a mapper needs a condition');
  return others.length === 0 ? first : { andFilter: { filters: [...conditions] } };
}

function overwrite(key: string, value: string): EnvoyHeader {
  return { header: { key, value }, appendAction: HeaderValueOption.HeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD };
}

function text(inlineString: string): Format {
  return { textFormatSource: { inlineString }, contentType: 'text/plain; charset=utf-8' };
}

function json(error: string, message: string): Format {
  const field = (stringValue: string) => ({ stringValue });
  return {
    jsonFormat: {
      fields: {
        error: field(error),
        message: field(message),
        service: field(`%METADATA(ROUTE:${METADATA}:${ROUTE_KEYS.service})%`),
        // A value that is one operator and nothing else keeps its type: a number stays a number.
        status: field('%RESPONSE_CODE%'),
      },
    },
    contentType: 'application/json',
    omitEmptyValues: true,
  };
}
