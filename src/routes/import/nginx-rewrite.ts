import type { PathMatch } from '../../model/route.ts';

/** A path of an Ingress with `rewrite-target`, as a route file can say it. */
export interface Rewritten {
  /** Undefined: the regular expression as it is. */
  readonly path?: PathMatch;
  /** What stands in the place of the path; undefined: it stays. */
  readonly rewrite?: string;
  /** What is different. */
  readonly note?: string;
}

/**
 * What `rewrite-target` makes of a path: `plain` when it is no regular expression. Undefined: no route file can say it.
 */
export function rewriteOf(plain: PathMatch | undefined, written: string, target: string): Rewritten | undefined {
  if (!target.startsWith('/')) return undefined;
  if (plain !== undefined) return ofPlain(plain, target);
  const pattern = written.replace(/^\^/, '').replace(/\$$/, '');
  if (isSame(pattern, target)) return pattern.replaceAll(/[()]/g, '') === '/.*' ? { path: below('/') } : {};
  const [, base, joint] = /^((?:\/[^()*.+?$[\]{}|\\/^]+)*)(\(\/\|\$\)|\/\?|\/|)\(\.[*+]\)$/.exec(pattern) ?? [];
  if (base === undefined || joint === undefined) return undefined;
  const front = new RegExp(String.raw`^(/[^$]*)\$${joint === '(/|$)' ? 2 : 1}$`).exec(target)?.[1];
  if (front === undefined) return undefined;
  switch (joint) {
    case '(/|$)':
      return { path: below(base === '' ? '/' : base), rewrite: front };
    case '/':
      return front.endsWith('/') ? { path: below(`${base}/`), rewrite: front } : undefined;
    default: {
      const note = `${written} took ${base}x as well; here it takes ${base} and what is below it`;
      return { path: below(base === '' ? '/' : base), rewrite: front, note };
    }
  }
}

function ofPlain(plain: PathMatch, target: string): Rewritten | undefined {
  if (target.includes('$')) return undefined;
  if (plain.kind === 'exact') return { path: plain, rewrite: target };
  if (plain.kind !== 'prefix') return undefined;
  const { prefix } = plain;
  const rewrite = prefix.endsWith('/') && !target.endsWith('/') ? `${target}/` : target;
  if (prefix === rewrite)
    return { path: plain, note: `ingress-nginx made every path ${target}; here it stays as it is` };
  const note = `ingress-nginx made every path below ${prefix} ${target}; here what follows ${prefix} is kept`;
  return { path: plain, rewrite, note };
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
