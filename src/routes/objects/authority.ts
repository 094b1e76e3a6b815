import type { NamedMatch } from '../../model/route.ts';

/** The host and port that a client names. */
export const AUTHORITY = ':authority';

/** A condition on the host that a client names, whatever the port: it is one of these regular expressions. */
export function authorityIs(regexes: readonly string[]): NamedMatch {
  return { name: AUTHORITY, value: { kind: 'regex', regex: `(?i:${regexes.join('|')})(?::[0-9]+)?` } };
}
