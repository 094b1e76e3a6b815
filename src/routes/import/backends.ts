import type { NamedMatch, RouteMatch } from '../../model/route.ts';
import type { Value } from '../objects/value.ts';
import type { Subject, YamlMap } from './draft.ts';

/** The one of several weighted ways that gets all requests in a route file; undefined: none gets any. */
export function heaviest(subject: Subject, ways: readonly Value[], nameOf: (way: Value) => string): Value | undefined {
  const weightOf = (way: Value) => Number(way.textAt('weight') ?? (ways.length === 1 ? 100 : 1));
  const open = ways.filter((way) => weightOf(way) > 0);
  // What gets nothing is not carried over, and nothing is lost by that.
  for (const way of ways) if (!open.includes(way)) way.done();
  const [first, ...others] = open.toSorted((a, b) => weightOf(b) - weightOf(a));
  if (first === undefined) return undefined;
  const names = new Set(open.map(nameOf));
  if (names.size > 1) {
    const message = `weights for ${[...names].join(' and ')}: all requests go to ${nameOf(first)}`;
    subject.refuse(
      first.at,
      message,
      'a route of a route file leads to one service: use an HTTPRoute, which has weights',
    );
  }
  for (const other of others) if (names.size > 1) other.done();
  return first;
}

/** Whether a route file can say a match; what it cannot is refused, with the route. */
export function canSay(
  subject: Subject,
  { at }: Pick<Value, 'at'>,
  { headers, query }: Pick<RouteMatch, 'headers' | 'query'>,
): boolean {
  const patterns = [...headers, ...query].filter(({ value }: NamedMatch) => value.kind === 'regex');
  for (const { name } of patterns) {
    const message = `${name} by a regular expression, so the route is left out`;
    subject.refuse(at, message, 'a condition is an exact value, or true for any');
  }
  return patterns.length === 0;
}

/** `headers` of a route, of what is set, added and removed before pods and before clients. */
export function headerKeys(request: YamlMap | undefined, response: YamlMap | undefined): YamlMap {
  const headers = {
    ...(request === undefined ? {} : { request }),
    ...(response === undefined ? {} : { response }),
  };
  return Object.keys(headers).length === 0 ? {} : { headers };
}

/** One side of it; undefined when nothing is changed. */
export function changesOf(set: YamlMap, add: YamlMap, remove: readonly string[]): YamlMap | undefined {
  const changes = {
    ...(Object.keys(set).length === 0 ? {} : { set }),
    ...(Object.keys(add).length === 0 ? {} : { add }),
    ...(remove.length === 0 ? {} : { remove }),
  };
  return Object.keys(changes).length === 0 ? undefined : changes;
}
