import type { PathChange, PathMatch } from '../../model/route.ts';
import { patternPath } from './paths.ts';

/** A path of an Ingress with `rewrite-target`. */
export interface Rewritten {
  readonly path: PathMatch;
  /** Undefined: the path stays as it is. */
  readonly change?: PathChange;
}

/**
 * What ingress-nginx makes of a path by `rewrite-target`: `plain` when it is no regular expression. Undefined: something
 * that is no path.
 */
export function rewritten(plain: PathMatch | undefined, written: string, target: string): Rewritten | undefined {
  if (!target.startsWith('/') || target.includes('?')) return undefined;
  if (plain !== undefined) return ofPlain(plain, written, target);
  const pattern = bare(written);
  if (isSame(pattern, target)) {
    return { path: pattern.replaceAll(/[()]/g, '') === '/.*' ? below('/') : patternPath(written) };
  }
  return asPrefix(pattern, target) ?? asRegex(written, target);
}

/** The same for paths whose end is loose (`/base(.*)`), with a prefix for it: it takes less, and keeps a slash. */
export function loosePrefix(written: string, target: string): Rewritten | undefined {
  const [, base, , front] = taken(bare(written), target) ?? [];
  return base === undefined || front === undefined ? undefined : toPrefix(base, front);
}

function bare(written: string): string {
  return written.replace(/^\^/, '').replace(/\$$/, '');
}

/** `/base(/|$)(.*)` to `/front$2`: the base, what joins it, and the front. */
function taken(pattern: string, target: string) {
  const [, base, joint] = /^((?:\/[^()*.+?$[\]{}|\\/^]+)*)(\(\/\|\$\)|\/\?|\/|)\(\.[*+]\)$/.exec(pattern) ?? [];
  if (base === undefined || joint === undefined) return undefined;
  const front = new RegExp(String.raw`^(/[^$]*)\$${joint === '(/|$)' ? 2 : 1}$`).exec(target)?.[1];
  return front === undefined ? undefined : ([pattern, base, joint, front] as const);
}

/** Nothing but a prefix in the place of a prefix. */
function asPrefix(pattern: string, target: string): Rewritten | undefined {
  const [, base = '', joint, front = ''] = taken(pattern, target) ?? [];
  if (joint === '(/|$)') return toPrefix(base, front);
  if (joint !== '/' || !front.endsWith('/')) return undefined;
  return { path: below(`${base}/`), change: { kind: 'prefix', prefix: front } };
}

function toPrefix(base: string, front: string): Rewritten {
  return { path: below(base === '' ? '/' : base), change: { kind: 'prefix', prefix: front } };
}

/** The groups of the path, put into the target. */
function asRegex(written: string, target: string): Rewritten {
  const path = patternPath(written);
  const regex = path.kind === 'regex' ? path.regex : '';
  const groups = (regex.match(/(?<!\\)\((?!\?)/g) ?? []).length;
  const substitution = target
    .replaceAll('\\', '\\\\')
    .replaceAll(/\$(\d)/g, (_, digit: string) => (Number(digit) <= groups ? `\\${digit}` : ''));
  return { path, change: { kind: 'regex', regex: `^${regex}$`, substitution } };
}

function ofPlain(plain: PathMatch, written: string, target: string): Rewritten | undefined {
  if (target.includes('$')) return undefined;
  // ingress-nginx leaves such a path alone.
  if (written === target) return { path: plain };
  return { path: plain, change: { kind: 'whole', path: target } };
}

/** Whether the groups, put into the target, are the pattern again: nothing is rewritten. */
function isSame(pattern: string, target: string): boolean {
  const groups = [...pattern.matchAll(/\(([^()]*)\)/g)].map(([, inside = '']) => inside);
  if (groups.length !== (pattern.match(/\(/g) ?? []).length) return false;
  const filled = target.replaceAll(/\$(\d)/g, (_, digit: string) => groups[Number(digit) - 1] ?? '');
  return filled === pattern.replaceAll(/\(([^()]*)\)/g, '$1');
}

function below(prefix: string): PathMatch {
  return { kind: 'prefix', prefix };
}
