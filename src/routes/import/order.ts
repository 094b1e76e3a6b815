import { writtenPath } from '../../model/describe.ts';
import { byPrecedence } from '../../model/precedence.ts';
import type { NamedMatch, PathMatch, RouteMatch } from '../../model/route.ts';
import { literalBeginning } from '../file/regex.ts';
import type { Subject } from './draft.ts';

/**
 * Tells of routes, from the one at `from` on, that another program tried in the order of its file, and a route file tries
 * in another one, where that may lead a request elsewhere.
 */
export function refuseOutOfOrder(subject: Subject, from: number, program: string): void {
  const routes = subject.draft.routes.slice(from);
  routes.forEach((later, index) => {
    const earlier = routes
      .slice(0, index)
      .find((one) => byPrecedence(later.match, one.match) < 0 && overlap(one.match, later.match));
    if (earlier === undefined) return;
    const message = `${writtenPath(later.match.path)} is tried before ${writtenPath(earlier.match.path)} (line ${earlier.origin.at.line}), which was first in ${program}`;
    const fix =
      'here an exact path comes before the longest prefix, and that before a regex: see that each request goes where it should';
    subject.refuse(later.origin.at, message, fix);
  });
}

/** Whether some request may be for both; certain only when it says no. */
function overlap(a: RouteMatch, b: RouteMatch): boolean {
  const methods = a.methods.length === 0 || b.methods.length === 0 || a.methods.some((one) => b.methods.includes(one));
  const hosts = a.hosts.length === 0 || b.hosts.length === 0 || a.hosts.some((one) => b.hosts.includes(one));
  return methods && hosts && !differ(a.headers, b.headers) && !differ(a.query, b.query) && pathsOverlap(a.path, b.path);
}

function differ(a: readonly NamedMatch[], b: readonly NamedMatch[]): boolean {
  return a.some((one) => b.some((other) => other.name === one.name && isOther(one.value, other.value)));
}

function isOther(a: NamedMatch['value'], b: NamedMatch['value']): boolean {
  return a.kind === 'exact' && b.kind === 'exact' && a.text !== b.text;
}

function pathsOverlap(a: PathMatch, b: PathMatch): boolean {
  const [one, other] = [beginning(a), beginning(b)];
  if (a.kind === 'exact' && b.kind === 'exact') return one === other;
  if (a.kind === 'exact') return one.startsWith(other);
  return b.kind === 'exact' ? other.startsWith(one) : one.startsWith(other) || other.startsWith(one);
}

/** What every path of it begins with. */
function beginning(path: PathMatch): string {
  return path.kind === 'regex' ? literalBeginning(path.regex) : writtenPath(path);
}
