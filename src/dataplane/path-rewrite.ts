import type { envoy } from '#xds';
import { regexLiteral } from '../base/regex.ts';

/** How Envoy writes a path anew, in routes and in redirects alike. */
export type PathRewrite = Pick<envoy.config.route.v3.RedirectAction.$Properties, 'prefixRewrite' | 'regexRewrite'>;

/** `prefix` in the place of the prefix `matched`. */
export function rewritePrefix(matched: string, prefix: string): PathRewrite {
  // `/v1` to `/` must make `/` of `/v1` and `/x` of `/v1/x`; a plain replacement would make `//x` of it.
  if (!matched.endsWith('/') && prefix.endsWith('/')) {
    const regex = `^${regexLiteral(matched)}/?`;
    return { regexRewrite: { pattern: { regex }, substitution: prefix.replaceAll('\\', '\\\\') } };
  }
  return { prefixRewrite: prefix };
}
