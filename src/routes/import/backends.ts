import type { Position } from '../../model/problem.ts';
import type { NamedMatch, PathMatch, RouteMatch } from '../../model/route.ts';
import type { Value } from '../objects/value.ts';
import type { Subject, YamlMap } from './draft.ts';

/** One of several ways that share the requests of a route. */
export interface WeightedWay<T> {
  readonly way: T;
  readonly name: string;
  readonly weight: number;
  readonly at: Position;
}

/** The one that gets all requests in a route file; undefined: none gets any. `watched`: what Sluice may watch instead. */
export function heaviest<T>(subject: Subject, ways: readonly WeightedWay<T>[], watched: string): T | undefined {
  const open = ways.filter(({ weight }) => weight > 0).toSorted((a, b) => b.weight - a.weight);
  const [first] = open;
  const names = new Set(open.map(({ name }) => name));
  if (first !== undefined && names.size > 1) {
    const message = `weights for ${[...names].join(' and ')}: all requests go to ${first.name}`;
    const fix = `a route of a route file leads to one service: let Sluice watch the ${watched}, which has weights`;
    subject.refuse(first.at, message, fix);
  }
  return first?.way;
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

/** A route file's prefixes end with a segment: what that leaves out is told. */
export function segmentPath(subject: Subject, { at }: Pick<Value, 'at'>, path: PathMatch): PathMatch {
  if (path.kind !== 'start') return path;
  const { prefix } = path;
  const message = `${prefix} took every path that begins so (${prefix}x too); here it takes ${prefix} and what is below it`;
  subject.note(at, message, `write regex: "${prefix}.*" if that is needed`);
  return { kind: 'prefix', prefix };
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
