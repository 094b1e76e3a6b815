/** Whoever makes a gRPC call, as far as its certificate tells. */
export interface Caller {
  getAuthContext(): { readonly sslPeerCertificate?: { readonly subjectaltname?: string } };
}

/** Why this caller may not speak for the node of this id, in words; undefined: it may. */
export type NodeGuard = (caller: Caller, nodeId: string) => string | undefined;

/** Anybody may speak for any node. */
export const openToAll: NodeGuard = () => undefined;

/** Why this caller may not be another Sluice, in words; undefined: it may. */
export type ClientGuard = (caller: Caller) => string | undefined;
