import { assertNever } from '../../base/assert-never.ts';
import type { NamedMatch, PathMatch, RouteMatch } from '../../model/route.ts';
import { literalBeginning, takesEveryPath } from './regex.ts';

/** A route that another one keeps from ever being taken. */
export interface Hidden<T> {
  readonly route: T;
  readonly by: T;
  /** `same`: both match the same requests; `order`: moving the hidden one up in the file would help; `kind`: it would not. */
  readonly because: 'same' | 'order' | 'kind';
}

/**
 * Finds the routes (in the order in which they are tried) that can never be taken because one before them takes all of
 * their requests. Only what is certain is named, and not what several routes hide together.
 */
export function findHidden<T extends { readonly match: RouteMatch }>(routes: readonly T[]): readonly Hidden<T>[] {
  const hidden: Hidden<T>[] = [];
  const samePath = new Map<string, T[]>();
  const wide: T[] = [];
  for (const route of routes) {
    const { path } = route.match;
    const key = `${path.kind} ${pathText(path)}`;
    const same = samePath.get(key) ?? [];
    const covers = (rival: T) => coversPath(rival.match.path, path) && coversConditions(rival.match, route.match);
    const by = same.find(covers) ?? (path.kind === 'regex' ? wide.find(covers) : undefined);
    if (by !== undefined) hidden.push({ route, by, because: reason(by.match, route.match) });
    same.push(route);
    samePath.set(key, same);
    if (path.kind === 'prefix' || (path.kind === 'regex' && takesEveryPath(path.regex))) wide.push(route);
  }
  return hidden;
}

function reason(by: RouteMatch, hidden: RouteMatch): Hidden<unknown>['because'] {
  if (by.path.kind !== hidden.path.kind) return 'kind';
  return coversPath(hidden.path, by.path) && coversConditions(hidden, by) ? 'same' : 'order';
}

function pathText(path: PathMatch): string {
  switch (path.kind) {
    case 'exact':
      return path.path;
    case 'prefix':
    case 'start':
      return path.prefix;
    case 'regex':
      return path.regex;
    default:
      return assertNever(path);
  }
}

/** Whether every path of `inner` is certainly one of `outer` as well. */
function coversPath(outer: PathMatch, inner: PathMatch): boolean {
  if (outer.kind === inner.kind && pathText(outer) === pathText(inner)) return true;
  if (inner.kind !== 'regex') return false;
  if (outer.kind === 'regex') return takesEveryPath(outer.regex);
  if (outer.kind === 'exact') return false;
  const whole = outer.kind === 'start' || outer.prefix.endsWith('/') ? outer.prefix : `${outer.prefix}/`;
  return outer.prefix === '/' || literalBeginning(inner.regex).startsWith(whole);
}

/** Whether whatever meets the conditions of `inner` certainly meets those of `outer`. */
function coversConditions(outer: RouteMatch, inner: RouteMatch): boolean {
  const { hosts, methods } = inner;
  const anyHost = outer.hosts.length === 0;
  if (!anyHost && (hosts.length === 0 || !hosts.every((host) => takesHost(outer.hosts, host)))) return false;
  const anyMethod = outer.methods.length === 0;
  if (!anyMethod && (methods.length === 0 || !methods.every((method) => outer.methods.includes(method)))) return false;
  const holds = (own: readonly NamedMatch[], conditions: readonly NamedMatch[]) =>
    conditions.every((condition) => own.some((one) => implies(one, condition)));
  return holds(inner.headers, outer.headers) && holds(inner.query, outer.query);
}

/** Whether every host that `host` stands for is one of `hosts`. */
function takesHost(hosts: readonly string[], host: string): boolean {
  return hosts.some((own) => own === host || (own.startsWith('*') && host.endsWith(own.slice(1))));
}

function implies(own: NamedMatch, condition: NamedMatch): boolean {
  if (own.name !== condition.name) return false;
  if (condition.value.kind === 'present') return true;
  const { value } = condition;
  if (value.kind === 'exact') return own.value.kind === 'exact' && own.value.text === value.text;
  return own.value.kind === 'regex' && own.value.regex === value.regex;
}
