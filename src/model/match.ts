import { assertNever } from '../base/assert-never.ts';
import { fittingHosts } from './host.ts';
import type { NamedMatch, PathMatch, RouteMatch } from './route.ts';

/** What of a request decides its route. */
export interface RequestHead {
  /** Upper case. */
  readonly method: string;
  /** Lower case, without port; empty: the request names none. */
  readonly host: string;
  /** Without the query, normalized. */
  readonly path: string;
  /** By lower-case name. */
  readonly headers: ReadonlyMap<string, string>;
  /** The first value of each parameter, percent-encoded as it was sent; empty for one without a value. */
  readonly query: ReadonlyMap<string, string>;
}

/** Whether RE2 finds the regex to be the whole text. */
export type WholeMatch = (regex: string, text: string) => boolean;

/** Every reason why a route does not take a request; none: it does. */
export function mismatches(match: RouteMatch, request: RequestHead, wholeMatch: WholeMatch): readonly string[] {
  const { hosts, methods, headers, query, path } = match;
  return [
    ...(hosts.length === 0 || fittingHosts(hosts, request.host).length > 0
      ? []
      : [`the host is ${request.host || 'not given'}, not ${or(hosts)}`]),
    ...pathMismatch(path, request.path, wholeMatch),
    ...(methods.length === 0 || methods.includes(request.method)
      ? []
      : [`the method is ${request.method}, not ${or(methods)}`]),
    ...headers.flatMap((header) => namedMismatch('header', header, headersOf(request), wholeMatch)),
    ...query.flatMap((parameter) => namedMismatch('query parameter', parameter, request.query, wholeMatch)),
  ];
}

/** With the host under the name that Envoy has for it. */
function headersOf({ headers, host }: RequestHead): RequestHead['headers'] {
  return host === '' ? headers : new Map([...headers, [':authority', host]]);
}

function pathMismatch(match: PathMatch, path: string, wholeMatch: WholeMatch): readonly string[] {
  switch (match.kind) {
    case 'exact':
      return path === match.path ? [] : [`the path is not exactly ${match.path}`];
    case 'prefix': {
      const { prefix } = match;
      const whole = prefix.endsWith('/') ? prefix : `${prefix}/`;
      if (path === prefix || path.startsWith(whole)) return [];
      const segment = path.startsWith(prefix) ? ' as a whole segment' : '';
      return [`the path does not begin with ${prefix}${segment}`];
    }
    case 'start':
      return path.startsWith(match.prefix) ? [] : [`the path does not begin with ${match.prefix}`];
    case 'regex':
      return wholeMatch(match.regex, path) ? [] : [`the whole path does not match ${match.regex}`];
    default:
      return assertNever(match);
  }
}

function namedMismatch(
  what: string,
  { name, value }: NamedMatch,
  found: ReadonlyMap<string, string>,
  wholeMatch: WholeMatch,
): readonly string[] {
  const got = found.get(name);
  if (got === undefined) return [`there is no ${what} ${name}`];
  const is = `the ${what} ${name} is ${got === '' ? 'empty' : got}`;
  switch (value.kind) {
    case 'present':
      return [];
    case 'exact':
      return value.text === got ? [] : [`${is}, not ${value.text}`];
    case 'regex':
      return wholeMatch(value.regex, got) ? [] : [`${is}, which does not match ${value.regex}`];
    default:
      return assertNever(value);
  }
}

function or(words: readonly string[]): string {
  return words.join(' or ');
}
