import { regexLiteral } from '../../base/regex.ts';
import type { Backend, ForwardRoute, NamedMatch, Route } from '../../model/route.ts';
import { regexFault } from '../file/regex.ts';
import type { Canary } from './annotations.ts';

/** A canary of some paths: to whom it leads, and which of their requests are its own. */
export interface CanaryOf {
  readonly canary: Canary;
  /** `Ingress shop/web-canary rules[0].paths[0]` */
  readonly name: string;
  readonly origin: NonNullable<Route['origin']>;
  readonly backend: (weight: number) => Backend;
}

const MILLION = 1_000_000;

/**
 * The routes that a path and its canary become: requests with the header first, then those with the cookie, then the share
 * of all others. As ingress-nginx has it, `always` is the canary's and `never` is not.
 */
export function withCanary(main: ForwardRoute, { canary, name, origin, backend }: CanaryOf): readonly ForwardRoute[] {
  const { header, cookie, weight } = canary;
  const only = (suffix: string, condition: NamedMatch, backends: readonly Backend[]): ForwardRoute => ({
    ...main,
    name: `${name} ${suffix} of ${main.name}`,
    origin,
    match: { ...main.match, headers: [...main.match.headers, condition] },
    backends,
  });
  const own = [backend(1)];
  const routes: ForwardRoute[] = [];
  if (header !== undefined) {
    const { name: key, value, pattern } = header;
    if (pattern === undefined) routes.push(only('header', exactly(key, value ?? 'always'), own));
    else routes.push(only('header', { name: key, value: { kind: 'regex', regex: anywhere(pattern.value) } }, own));
    if (value === undefined && pattern === undefined)
      routes.push(only('no header', exactly(key, 'never'), main.backends));
  }
  if (cookie !== undefined) {
    routes.push(only('cookie', cookieIs(cookie.value, 'always'), own));
    routes.push(only('no cookie', cookieIs(cookie.value, 'never'), main.backends));
  }
  return [...routes, weight === undefined ? main : shared(main, backend(weight.value))];
}

/** Why a canary's pattern cannot be used; undefined: it can. */
export function canaryFault({ header }: Canary): string | undefined {
  return header?.pattern && regexFault(`(?:${anywhere(header.pattern.value)})`);
}

/** Each canary of a path has its share; its own backend, the first, has what they leave. */
function shared(main: ForwardRoute, canary: Backend): ForwardRoute {
  const [own, ...canaries] = main.backends;
  if (own === undefined) return main;
  const all = [...canaries, canary];
  const taken = all.reduce((sum, { weight }) => sum + weight, 0);
  return { ...main, backends: [{ ...own, weight: Math.max(0, MILLION - taken) }, ...all] };
}

function exactly(name: string, text: string): NamedMatch {
  return { name, value: { kind: 'exact', text } };
}

/** nginx looks for the pattern anywhere in the value. */
function anywhere(pattern: string): string {
  return `.*(?:${pattern}).*`;
}

function cookieIs(name: string, value: string): NamedMatch {
  return { name: 'cookie', value: { kind: 'regex', regex: `(?:.*;\\s*)?${regexLiteral(name)}=${value}(?:\\s*;.*)?` } };
}
