import type { RouteMatch } from '../../model/route.ts';
import { byPrecedence, findHidden, type Hidden } from './order.ts';
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
  const tried = routes.toSorted((a, b) => byPrecedence(a.match, b.match));
  for (const { route, by, because } of findHidden(tried)) {
    const other = `${by.got.path} on line ${by.got.at.line}`;
    report.error(route.place, { message: wording(because, other), fix: advice(because, by) });
  }
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
