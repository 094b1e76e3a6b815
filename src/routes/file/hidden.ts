import { byPrecedence } from '../../model/precedence.ts';
import type { RouteMatch } from '../../model/route.ts';
import { findHidden, type Hidden } from './order.ts';
import type { Report } from './report.ts';
import type { Got } from './shape.ts';

/** A route of the file whose match could be read. */
export interface ReadRoute {
  readonly match: RouteMatch;
  /** Where the route is. */
  readonly got: Got<unknown>;
  /** Where its match is. */
  readonly place: Got<unknown>;
}

/** Reports every route that can never be taken because another one takes all of its requests. */
export function reportHidden(routes: readonly ReadRoute[], report: Report): void {
  const parts = routes.flatMap((whole) => partsOf(whole.match).map((match) => ({ whole, match })));
  const tried = parts.toSorted((a, b) => byPrecedence(a.match, b.match));
  const hidden = Map.groupBy(findHidden(tried), ({ route }) => route.whole);
  for (const [route, found] of hidden) {
    const [first] = found;
    // Some of its requests are left to it.
    if (first === undefined || found.length < partsOf(route.match).length) continue;
    const by = first.by.whole;
    const { because } = first;
    const other = `${by.got.path} on line ${by.got.at.line}`;
    report.error(route.place, { message: wording(because, other), fix: advice(because, by) });
  }
}

/** A route for hosts of several kinds is tried with each of them in its turn: named hosts first, then the longest `*.` host. */
function partsOf(match: RouteMatch): readonly RouteMatch[] {
  const kinds = Map.groupBy(match.hosts, (host) => (host.startsWith('*') ? host.length : 0));
  return kinds.size < 2 ? [match] : [...kinds.values()].map((hosts) => ({ ...match, hosts }));
}

function wording(because: Hidden<unknown>['because'], other: string): string {
  switch (because) {
    case 'same':
      return `matches the same requests as ${other}`;
    case 'order':
      return `never used: ${other} comes first and takes all of its requests`;
    case 'kind':
      return `never used: ${other} takes all of its requests, for a prefix is tried before a regex`;
  }
}

function advice(because: Hidden<unknown>['because'], { got, match: { path } }: ReadRoute): string {
  switch (because) {
    case 'same':
      return 'remove one of the two, or narrow one by hosts, methods, headers or query';
    case 'order':
      return `move it above line ${got.at.line}, or remove it`;
    case 'kind': {
      const regex = path.kind === 'prefix' ? ` ("${asRegex(path.prefix)}")` : '';
      return `write this one as path or longer prefix, or ${got.path} as a regex${regex} below this one`;
    }
  }
}

function asRegex(prefix: string): string {
  const literal = prefix.replace(/[.*+?^${}()|[\]\\]/g, '[$&]');
  return prefix.endsWith('/') ? `${literal}.*` : `${literal}(/.*)?`;
}
