import type { PathMatch } from '../../model/route.ts';

/** The kinds of paths that an Ingress knows. */
export type PathType = 'Exact' | 'Prefix' | 'ImplementationSpecific';

/** The type as it is written; what is not known is for the implementation to say. */
export function pathTypeOf(text: string | undefined): PathType {
  return text === 'Exact' || text === 'Prefix' ? text : 'ImplementationSpecific';
}

/** Which requests a path takes that is no regular expression. */
export function plainPath(written: string, type: PathType): PathMatch {
  if (type === 'Exact') return { kind: 'exact', path: written };
  if (type === 'Prefix') return { kind: 'prefix', prefix: written.replace(/\/+$/, '') || '/' };
  // Controllers of clouds write a star for what is below a path.
  const below = /^(\/.*)\*$/.exec(written)?.[1];
  if (below?.endsWith('/')) return { kind: 'prefix', prefix: below };
  return written.endsWith('/') ? { kind: 'prefix', prefix: written } : { kind: 'start', prefix: written };
}

/** ingress-nginx looks at the beginning of a path, without regard to case; a regex here is about the whole of it. */
export function patternPath(written: string): PathMatch {
  const bare = written.replace(/^\^/, '');
  const isWhole = /(\$|\.[*+]\)*)$/.test(bare);
  return { kind: 'regex', regex: `(?i:${bare})${isWhole ? '' : '.*'}` };
}

/** Whether a path has signs that mean something in regular expressions, the dot aside. */
export function looksLikeRegex(path: string): boolean {
  return /[\^$*+?()[\]{}|\\]/.test(path);
}
