import { envoy } from '#xds';
import { assertNever } from '../base/assert-never.ts';
import type { PathMatch, Redirect, RedirectRoute } from '../model/route.ts';
import { rewritePrefix } from './path-rewrite.ts';

const { RedirectResponseCode } = envoy.config.route.v3.RedirectAction;

type RedirectAction = envoy.config.route.v3.RedirectAction.$Properties;

const CODES: Readonly<Record<Redirect['status'], envoy.config.route.v3.RedirectAction.RedirectResponseCode>> = {
  301: RedirectResponseCode.MOVED_PERMANENTLY,
  302: RedirectResponseCode.FOUND,
  303: RedirectResponseCode.SEE_OTHER,
  307: RedirectResponseCode.TEMPORARY_REDIRECT,
  308: RedirectResponseCode.PERMANENT_REDIRECT,
};

/** The answer that sends a client elsewhere. */
export function redirectAction({ redirect, match }: RedirectRoute): RedirectAction {
  const { scheme, host, port, status } = redirect;
  return {
    ...(scheme === undefined ? {} : { schemeRedirect: scheme }),
    ...(host === undefined ? {} : { hostRedirect: host }),
    ...(port === undefined ? {} : { portRedirect: port }),
    ...pathOf(redirect, match.path),
    responseCode: CODES[status],
  };
}

function pathOf({ path }: Redirect, matched: PathMatch): RedirectAction {
  if (path === undefined) return {};
  switch (path.kind) {
    case 'whole':
      return { pathRedirect: path.path };
    case 'prefix':
      if (matched.kind !== 'prefix') throw new Error('a prefix is redirected that was not matched');
      return rewritePrefix(matched.prefix, path.prefix);
    case 'regex':
      return { regexRewrite: { pattern: { regex: path.regex }, substitution: path.substitution } };
    default:
      return assertNever(path);
  }
}
