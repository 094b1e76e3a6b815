import { type ClientGuard, type NodeGuard, openToAll } from '../../base/node-guard.ts';

/** Which clients may speak for which nodes; each side is a whole name, or the beginning of one with `*` at its end. */
export interface NodeRule {
  /** A SPIFFE id (`spiffe://cluster.local/ns/edge/sa/envoy`) or DNS name of the client's certificate. */
  readonly client: string;
  /** A node id. */
  readonly node: string;
}

/**
 * The SPIFFE ids and DNS names in a certificate's `subjectAltName`, in Node's form. Node puts a value in quotes that
 * holds what separates values, so that one name cannot pass for two; no honest name does, and such values are left out.
 */
export function clientNames(subjectAltName: string | undefined): readonly string[] {
  const entries = (subjectAltName ?? '').matchAll(/([^:,]+):("(?:[^"\\]|\\.)*"|[^,]*)(?:, |$)/g);
  return [...entries].flatMap(([, kind, value]) => {
    if (value === undefined || value.startsWith('"')) return [];
    return kind === 'DNS' || (kind === 'URI' && value.startsWith('spiffe://')) ? [value] : [];
  });
}

/** Whether a client with these names may speak for the node. */
export function mayUse(rules: readonly NodeRule[], names: readonly string[], nodeId: string): boolean {
  return rules.some(({ client, node }) => matches(node, nodeId) && names.some((name) => matches(client, name)));
}

/** Guards nodes by `rules`, which go by the certificates of clients; without rules anybody may speak for any node. */
export function nodeGuard(rules: readonly NodeRule[] | undefined): NodeGuard {
  if (rules === undefined) return openToAll;
  return (caller, nodeId) => {
    const names = clientNames(caller.getAuthContext().sslPeerCertificate?.subjectaltname);
    if (mayUse(rules, names, nodeId)) return undefined;
    return `${called(names)} may not speak for node ${JSON.stringify(nodeId)}`;
  };
}

/** Lets in whoever may speak for some node by `rules`; without rules anybody. */
export function clientGuard(rules: readonly NodeRule[] | undefined): ClientGuard {
  return (caller) => {
    if (rules === undefined) return undefined;
    const names = clientNames(caller.getAuthContext().sslPeerCertificate?.subjectaltname);
    const isNamed = rules.some(({ client }) => names.some((name) => matches(client, name)));
    return isNamed ? undefined : `${called(names)} may not speak for any node`;
  };
}

function called(names: readonly string[]): string {
  return names.length === 0 ? 'a client without a name in its certificate' : names.join(', ');
}

function matches(pattern: string, text: string): boolean {
  return pattern.endsWith('*') ? text.startsWith(pattern.slice(0, -1)) : text === pattern;
}
