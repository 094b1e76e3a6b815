import type { envoy } from '#xds';
import { fail, ok, type Result } from '../../base/result.ts';
import type { NodeIdentity } from '../../snapshot/cache.ts';

type NodeMatcher = envoy.type.matcher.v3.NodeMatcher.$Properties;
type StringMatcher = envoy.type.matcher.v3.StringMatcher.$Properties;
type StructMatcher = envoy.type.matcher.v3.StructMatcher.$Properties;

/** Whether a node is one of those asked for. */
export type NodeTest = (node: NodeIdentity) => boolean;

/**
 * What `matchers` ask for: any one may match, and none at all means every node. Regular expressions are refused, as
 * one from outside can keep this process busy for ever; so are matchers of lists. Errors say what to write instead.
 */
export function compileMatchers(matchers: readonly NodeMatcher[]): Result<NodeTest, string> {
  const errors = matchers.flatMap((matcher) => unsupported(matcher));
  if (errors.length > 0) return fail(...errors);
  return ok((node) => matchers.length === 0 || matchers.some((matcher) => matchesNode(matcher, node)));
}

function unsupported({ nodeId, nodeMetadatas }: NodeMatcher): readonly string[] {
  const strings = [nodeId, ...(nodeMetadatas ?? []).map(({ value }) => value?.stringMatch)];
  const errors: string[] = [];
  if (strings.some((matcher) => matcher?.safeRegex || matcher?.custom)) {
    errors.push('safe_regex and custom are not supported; match by exact, prefix, suffix or contains');
  }
  if ((nodeMetadatas ?? []).some(({ value }) => value?.listMatch || value?.orMatch || value?.doubleMatch?.range)) {
    errors.push('list_match, or_match and ranges are not supported; match a single value');
  }
  return errors;
}

function matchesNode({ nodeId, nodeMetadatas }: NodeMatcher, node: NodeIdentity): boolean {
  return (
    (!nodeId || matchesString(nodeId, node.id)) &&
    (nodeMetadatas ?? []).every((matcher) => matchesMetadata(matcher, node))
  );
}

function matchesString(matcher: StringMatcher, value: string): boolean {
  const fold = (text: string) => (matcher.ignoreCase ? text.toLowerCase() : text);
  const text = fold(value);
  if (typeof matcher.exact === 'string') return text === fold(matcher.exact);
  if (typeof matcher.prefix === 'string') return text.startsWith(fold(matcher.prefix));
  if (typeof matcher.suffix === 'string') return text.endsWith(fold(matcher.suffix));
  if (typeof matcher.contains === 'string') return text.includes(fold(matcher.contains));
  return false;
}

function matchesMetadata({ path, value }: StructMatcher, node: NodeIdentity): boolean {
  let found: unknown = node.metadata;
  for (const { key } of path ?? []) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, key ?? '')) found = undefined;
    // Just seen to be an object with this key.
    else found = (found as Record<string, unknown>)[key ?? ''];
  }
  if (value?.stringMatch) return typeof found === 'string' && matchesString(value.stringMatch, found);
  if (typeof value?.boolMatch === 'boolean') return found === value.boolMatch;
  if (typeof value?.presentMatch === 'boolean') return (found !== undefined) === value.presentMatch;
  if (value?.nullMatch) return found === null;
  if (value?.doubleMatch) return found === value.doubleMatch.exact;
  return false;
}
