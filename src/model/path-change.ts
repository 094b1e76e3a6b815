import { assertNever } from '../base/assert-never.ts';
import type { PathChange, PathMatch, Redirect } from './route.ts';

/** What was asked for, as the client wrote it. */
export interface Asked {
  readonly scheme: 'http' | 'https';
  /** The host, with the port if the client named one. */
  readonly authority: string;
  /** Without the query. */
  readonly path: string;
  /** With its `?`; perhaps empty. */
  readonly query: string;
}

/** The path that is left of `path` when it was taken by `matched`; undefined: only a regex library can say it. */
export function changedPath(matched: PathMatch, change: PathChange, path: string): string | undefined {
  switch (change.kind) {
    case 'whole':
      return change.path;
    case 'prefix':
      return matched.kind === 'exact' || matched.kind === 'regex'
        ? change.prefix
        : withPrefix(matched.prefix, change.prefix, path);
    case 'regex':
      return undefined;
    default:
      return assertNever(change);
  }
}

/** `/v1` to `/` makes `/x` of `/v1/x`, not `//x`. */
function withPrefix(matched: string, prefix: string, path: string): string {
  const rest = path.slice(matched.length);
  return prefix + (!matched.endsWith('/') && prefix.endsWith('/') && rest.startsWith('/') ? rest.slice(1) : rest);
}

/** Where a redirect sends the client; undefined: only a regex library can say it. */
export function redirectTarget(redirect: Redirect, matched: PathMatch, asked: Asked): string | undefined {
  const path = redirect.path === undefined ? asked.path : changedPath(matched, redirect.path, asked.path);
  if (path === undefined) return undefined;
  const scheme = redirect.scheme ?? asked.scheme;
  return `${scheme}://${redirectAuthority(redirect, scheme, asked.authority)}${path}${asked.query}`;
}

/** As Envoy does it: a port that belonged to the scheme before goes with that scheme. */
function redirectAuthority({ host, port }: Redirect, scheme: string, authority: string): string {
  const [, bare = authority, old = ''] = /^(.*?)(:\d+)?$/.exec(authority) ?? [];
  const kept = (scheme === 'https' && old === ':80') || (scheme === 'http' && old === ':443') ? '' : old;
  const own = host === undefined ? kept : '';
  return `${host ?? bare}${port === undefined ? own : `:${port}`}`;
}
