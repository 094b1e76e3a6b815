import { regexLiteral } from '../../base/regex.ts';
import { fail, ok, type Result } from '../../base/result.ts';
import type { NamedMatch, PathMatch, RouteMatch } from '../../model/route.ts';
import { regexFault } from '../file/regex.ts';
import type { GrpcMatch, HttpMatch, NamedCondition } from './objects.ts';

type Conditions = Omit<RouteMatch, 'hosts'>;

/** The match of an HTTPRoute. Errors: regular expressions that RE2 does not know. */
export function httpMatch({ path, headers = [], queryParams = [], method }: HttpMatch): Result<Conditions, string> {
  const faults = [...headers, ...queryParams].flatMap(regexFaults);
  const match = pathMatch(path ?? {});
  if (match.kind === 'regex') faults.push(...pathFaults(match.regex));
  if (faults.length > 0) return fail(...faults);
  return ok({
    path: match,
    methods: method === undefined ? [] : [method],
    headers: named(headers).map((one) => ({ ...one, name: one.name.toLowerCase() })),
    query: named(queryParams),
  });
}

/** A trailing slash means nothing to a prefix. */
function pathMatch({ type = 'PathPrefix', value = '/' }: NonNullable<HttpMatch['path']>): PathMatch {
  switch (type) {
    case 'Exact':
      return { kind: 'exact', path: value };
    case 'RegularExpression':
      return { kind: 'regex', regex: value };
    default:
      return { kind: 'prefix', prefix: value.replace(/\/+$/, '') || '/' };
  }
}

/** The match of a GRPCRoute, whose methods are paths: `/package.Service/Method`. */
export function grpcMatch({ method, headers = [] }: GrpcMatch): Result<Conditions, string> {
  const faults = headers.flatMap(regexFaults);
  const path = grpcPath(method ?? {});
  if (path.kind === 'regex') faults.push(...pathFaults(path.regex));
  if (faults.length > 0) return fail(...faults);
  const lower = named(headers).map((one) => ({ ...one, name: one.name.toLowerCase() }));
  return ok({ path, methods: [], headers: lower, query: [] });
}

function grpcPath({ type = 'Exact', service, method }: NonNullable<GrpcMatch['method']>): PathMatch {
  if (service === undefined && method === undefined) return { kind: 'prefix', prefix: '/' };
  if (type === 'RegularExpression') {
    return { kind: 'regex', regex: `/${service ?? '[^/]+'}/${method ?? '[^/]+'}` };
  }
  if (service === undefined) return { kind: 'regex', regex: `/[^/]+/${regexLiteral(method ?? '')}` };
  return method === undefined
    ? { kind: 'prefix', prefix: `/${service}` }
    : { kind: 'exact', path: `/${service}/${method}` };
}

/** Of several conditions on one name the first counts. */
function named(conditions: readonly NamedCondition[]): readonly NamedMatch[] {
  const seen = new Set<string>();
  return conditions.flatMap(({ type = 'Exact', name, value }): readonly NamedMatch[] => {
    const key = name.toLowerCase();
    if (seen.has(key)) return [];
    seen.add(key);
    return [
      { name, value: type === 'RegularExpression' ? { kind: 'regex', regex: value } : { kind: 'exact', text: value } },
    ];
  });
}

function regexFaults({ type, name, value }: NamedCondition): readonly string[] {
  if (type !== 'RegularExpression') return [];
  // The rule that a path begins with a slash is not for these.
  const fault = regexFault(`(?:${value})`);
  return fault === undefined ? [] : [`${name}: ${fault}`];
}

function pathFaults(regex: string): readonly string[] {
  const fault = regexFault(regex);
  return fault === undefined ? [] : [fault];
}
