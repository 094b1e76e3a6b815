import { assertNever } from '../base/assert-never.ts';
import { remember } from '../base/remember.ts';
import { fittingHosts } from './host.ts';
import { byAge, compareText } from './origin.ts';
import type { PathMatch, Route, RouteMatch } from './route.ts';

/** Of a `*.` host: 253 characters of DNS, and two. */
const LONGEST_HOST = 256;

const RANK: Readonly<Record<PathMatch['kind'], number>> = { exact: 0, prefix: 1, start: 1, regex: 2 };

/**
 * Sorts by what is tried first. Host before path: a named host, then the longest `*.` host, then no host; then an exact
 * path, the longest prefix, a regex; then a method, more headers, more query parameters. What is equal keeps its order.
 */
export function byPrecedence(a: RouteMatch, b: RouteMatch): number {
  return vagueness(a.hosts) - vagueness(b.hosts) || byPath(a.path, b.path) || byConditions(a, b);
}

/**
 * The same for whole routes, of whatever source. Those of objects that keep an order of their own come after all others
 * of their hosts. The route file counts as older than every object.
 */
export function byRoutePrecedence(a: Route, b: Route): number {
  return vagueness(a.match.hosts) - vagueness(b.match.hosts) || byRest(a, b);
}

/** The same among routes that take requests for one host: what else they take plays no part there. */
export function byPrecedenceAt(host: string): (a: Route, b: Route) => number {
  // Asked again and again while a thousand routes are sorted.
  const known = new Map<Route, number>();
  const vague = (route: Route) => remember(known, route, ({ match: { hosts } }) => vaguenessAt(hosts, host));
  return (a, b) => vague(a) - vague(b) || byRest(a, b);
}

function vaguenessAt(hosts: readonly string[], host: string): number {
  const fitting = fittingHosts(hosts, host);
  return fitting.includes(host) ? 0 : vagueness(longest(fitting));
}

function longest(hosts: readonly string[]): readonly string[] {
  return hosts.toSorted((a, b) => b.length - a.length).slice(0, 1);
}

function byRest(a: Route, b: Route): number {
  const ordered = Number(a.order !== undefined) - Number(b.order !== undefined);
  if (ordered !== 0) return ordered;
  if (a.order !== undefined && b.order !== undefined) {
    if (a.order.group === b.order.group) return a.order.index - b.order.index;
    return byOrigin(a, b) || compareText(a.order.group, b.order.group);
  }
  return byPath(a.match.path, b.match.path) || byConditions(a.match, b.match) || byOrigin(a, b);
}

function byOrigin({ origin: a }: Route, { origin: b }: Route): number {
  if (a === undefined || b === undefined) return Number(a !== undefined) - Number(b !== undefined);
  return byAge(a, b);
}

function byPath(a: PathMatch, b: PathMatch): number {
  const byKind = RANK[a.kind] - RANK[b.kind];
  if (byKind !== 0) return byKind;
  // Of two that begin alike, the one for whole segments takes less.
  return prefixLength(b) - prefixLength(a) || Number(a.kind === 'start') - Number(b.kind === 'start');
}

/** 0 where length says nothing. */
function prefixLength(path: PathMatch): number {
  switch (path.kind) {
    case 'prefix':
    case 'start':
      return path.prefix.length;
    case 'exact':
    case 'regex':
      return 0;
    default:
      return assertNever(path);
  }
}

function byConditions(a: RouteMatch, b: RouteMatch): number {
  return (
    Number(b.methods.length > 0) - Number(a.methods.length > 0) ||
    b.headers.length - a.headers.length ||
    b.query.length - a.query.length
  );
}

/** How little hosts say: 0 for names alone, most for none at all. */
function vagueness(hosts: readonly string[]): number {
  if (hosts.length === 0) return LONGEST_HOST + 1;
  const wildcards = hosts.filter((host) => host.startsWith('*'));
  return wildcards.length === 0 ? 0 : LONGEST_HOST - Math.min(...wildcards.map((host) => host.length));
}
