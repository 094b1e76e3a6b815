import type { Certificate, Listener, ListenerName } from '../../model/listener.ts';
import { type Finding, fails, holds } from '../objects/condition.ts';
import { NAMESPACES } from '../objects/core.ts';
import { keyOf, type Objects, originOf } from '../objects/object.ts';
import { addressesOf, type GatewayAddresses } from './addresses.ts';
import { type AskedOfClients, askedOfClients, type ClientFault } from './clients.ts';
import { type Gateway, GROUP, LISTENER_SETS, type ListenerSet, type ListenerSpec, type RouteKind } from './objects.ts';
import { secretCertificate, takesNamespace } from './references.ts';

/** To whom routes attach themselves: a Gateway, or a ListenerSet that adds listeners to one. */
export type Parent =
  | { readonly kind: 'Gateway'; readonly object: Gateway }
  | { readonly kind: 'ListenerSet'; readonly object: ListenerSet };

/** A listener as a Gateway or ListenerSet has it, and what came of it. */
export interface GatewayListener {
  readonly name: ListenerName;
  readonly parent: Parent;
  readonly gateway: Gateway;
  readonly spec: ListenerSpec;
  /** The kinds of routes that may attach themselves. */
  readonly kinds: readonly RouteKind[];
  readonly accepted: Finding;
  readonly conflicted: Finding;
  readonly resolvedRefs: Finding;
  /** What of it is served; empty: nothing. One for each address of the Gateway. */
  readonly served: readonly Listener[];
}

/** A ListenerSet, and whether its Gateway takes it. */
export interface AttachedSet {
  readonly object: ListenerSet;
  readonly gateway: Gateway;
  readonly allowed: boolean;
}

const ROUTE_KINDS = ['HTTPRoute', 'GRPCRoute'] as const;

/** ListenerSets of these Gateways, oldest first. */
export function attachedSets(gateways: readonly Gateway[], objects: Objects): readonly AttachedSet[] {
  const byKey = new Map(gateways.map((gateway) => [keyOf(gateway.metadata), gateway]));
  return objects.all(LISTENER_SETS).flatMap((object): readonly AttachedSet[] => {
    const {
      group = GROUP,
      kind = 'Gateway',
      name,
      namespace = object.metadata.namespace ?? '',
    } = object.spec.parentRef;
    const gateway = group === GROUP && kind === 'Gateway' ? byKey.get(keyOf({ name, namespace })) : undefined;
    if (gateway === undefined) return [];
    const choice = gateway.spec.allowedListeners?.namespaces ?? { from: 'None' };
    const namespaces = (one: string) => objects.get(NAMESPACES, '', one);
    const allowed = takesNamespace(choice, namespace, object.metadata.namespace ?? '', namespaces);
    return [{ object, gateway, allowed }];
  });
}

/**
 * All listeners of these Gateways (oldest first), in the order in which they count: a Gateway's own before those of its
 * ListenerSets. Of two that cannot be there together the first one is, and the other is told why it is not.
 */
export function findListeners(
  gateways: readonly Gateway[],
  sets: readonly AttachedSet[],
  addresses: GatewayAddresses,
  objects: Objects,
): readonly GatewayListener[] {
  const taken = new Map<string, ListenerSpec[]>();
  return gateways.flatMap((gateway) => {
    const parents: readonly Parent[] = [
      { kind: 'Gateway', object: gateway },
      ...sets
        .filter((set) => set.gateway === gateway && set.allowed)
        .map(({ object }) => ({ kind: 'ListenerSet', object }) as const),
    ];
    const { bind } = addressesOf(gateway, addresses);
    const sockets = bind.length === 0 ? [`of ${keyOf(gateway.metadata)}`] : bind;
    return parents.flatMap((parent) =>
      (parent.object.spec.listeners ?? []).map((spec) => {
        const conflict = sockets.map((address) => conflictWith(taken.get(`${address} ${spec.port}`) ?? [], spec));
        const listener = describe({ parent, gateway, spec, bind, conflict: conflict.find(Boolean) }, objects);
        if (listener.accepted.status === 'True') {
          for (const address of sockets) {
            const key = `${address} ${spec.port}`;
            taken.set(key, [...(taken.get(key) ?? []), spec]);
          }
        }
        return listener;
      }),
    );
  });
}

type Conflict = 'ProtocolConflict' | 'HostnameConflict';

function conflictWith(there: readonly ListenerSpec[], { protocol, hostname = '' }: ListenerSpec): Conflict | undefined {
  if (there.some((other) => other.protocol !== protocol)) return 'ProtocolConflict';
  return there.some((other) => (other.hostname ?? '') === hostname) ? 'HostnameConflict' : undefined;
}

interface Described {
  readonly parent: Parent;
  readonly gateway: Gateway;
  readonly spec: ListenerSpec;
  readonly bind: readonly string[];
  readonly conflict: Conflict | undefined;
}

function describe({ parent, gateway, spec, bind, conflict }: Described, objects: Objects): GatewayListener {
  const path = `${parent.kind === 'Gateway' ? '' : 'set/'}${keyOf(parent.object.metadata)}/${spec.name}`;
  // A path with slashes: no other source's listener has such a name.
  const name = path as ListenerName;
  const speaks = spec.protocol === 'HTTP' || spec.protocol === 'HTTPS';
  const kinds = speaks ? kindsOf(spec) : { supported: [], invalid: [] };
  const certificates = spec.protocol === 'HTTPS' ? certificatesOf(parent, spec, objects) : NO_CERTIFICATES;
  const asked = spec.protocol === 'HTTPS' ? askedOfClients(gateway, spec.port, objects) : NOTHING_ASKED;
  const accepted = acceptance(spec, conflict, asked);
  const resolvedRefs = resolution(kinds.invalid, [...certificates.faults, ...asked.faults]);
  const isServed = accepted.status === 'True' && (spec.protocol === 'HTTP' || certificates.good.length > 0);
  const origin = originOf(parent.kind, parent.object);
  return {
    name,
    parent,
    gateway,
    spec,
    kinds: kinds.supported,
    accepted,
    conflicted:
      conflict === undefined
        ? fails('Conflicted', 'NoConflicts', '')
        : holds('Conflicted', conflict, conflictText(conflict, spec)),
    resolvedRefs,
    served: (isServed ? bind : []).map((address, at) => ({
      // With several addresses each is a listener of its own.
      name: at === 0 ? name : (`${name}#${at}` as ListenerName),
      origin,
      address,
      port: spec.port,
      ...(spec.hostname === undefined ? {} : { hostname: spec.hostname }),
      ...(spec.protocol === 'HTTPS'
        ? { tls: { certificates: certificates.good, ...(asked.clients && { clients: asked.clients }) } }
        : {}),
    })),
  };
}

function conflictText(conflict: Conflict, { port, hostname, protocol }: ListenerSpec): string {
  return conflict === 'HostnameConflict'
    ? `another listener takes ${hostname ?? 'every host'} at port ${port}`
    : `another listener speaks another protocol than ${protocol} at port ${port}`;
}

const NOTHING_ASKED: AskedOfClients = { clients: undefined, faults: [] };

function acceptance(spec: ListenerSpec, conflict: Conflict | undefined, asked: AskedOfClients): Finding {
  if (conflict !== undefined) return fails('Accepted', conflict, conflictText(conflict, spec));
  if (spec.protocol !== 'HTTP' && spec.protocol !== 'HTTPS') {
    return fails('Accepted', 'UnsupportedProtocol', `protocol ${spec.protocol} is not served here; HTTP and HTTPS are`);
  }
  if (spec.protocol === 'HTTPS' && spec.tls?.mode === 'Passthrough') {
    return fails('Accepted', 'UnsupportedProtocol', 'TLS is not passed through: write mode Terminate');
  }
  if (asked.clients === undefined && asked.faults.length > 0) {
    // Without an authority nobody could be asked for a certificate; everybody would be let in.
    return fails('Accepted', 'NoValidCACertificate', asked.faults.map(({ message }) => message).join('; '));
  }
  return holds('Accepted', 'Accepted');
}

function kindsOf({ allowedRoutes }: ListenerSpec) {
  const asked = allowedRoutes?.kinds ?? [];
  if (asked.length === 0) return { supported: ROUTE_KINDS.map((kind) => ({ group: GROUP, kind })), invalid: [] };
  const isKnown = ({ group = GROUP, kind }: RouteKind) => group === GROUP && ROUTE_KINDS.some((one) => one === kind);
  return {
    supported: asked.filter(isKnown).map(({ kind }) => ({ group: GROUP, kind })),
    invalid: asked.filter((one) => !isKnown(one)).map(({ kind }) => kind),
  };
}

interface Fault {
  readonly reason: 'InvalidCertificateRef' | 'RefNotPermitted';
  readonly message: string;
}

function resolution(invalidKinds: readonly string[], faults: readonly (Fault | ClientFault)[]): Finding {
  if (invalidKinds.length > 0) {
    const message = `no such routes here: ${invalidKinds.join(', ')}; HTTPRoute and GRPCRoute are`;
    return fails('ResolvedRefs', 'InvalidRouteKinds', message);
  }
  const [first] = faults;
  if (first === undefined) return holds('ResolvedRefs', 'ResolvedRefs');
  return fails('ResolvedRefs', first.reason, faults.map(({ message }) => message).join('; '));
}

interface Certificates {
  readonly good: readonly Certificate[];
  readonly faults: readonly Fault[];
}

const NO_CERTIFICATES: Certificates = { good: [], faults: [] };

function certificatesOf(parent: Parent, { tls }: ListenerSpec, objects: Objects): Certificates {
  const refs = tls?.certificateRefs ?? [];
  if (refs.length === 0) {
    const message = 'an HTTPS listener needs tls.certificateRefs: name a Secret of type kubernetes.io/tls';
    return { good: [], faults: [{ reason: 'InvalidCertificateRef', message }] };
  }
  const read = refs.map((ref) => secretCertificate(parent, ref, objects));
  return {
    good: read.flatMap((one) => ('refusal' in one ? [] : [one])),
    faults: read.flatMap((one) => {
      if (!('refusal' in one)) return [];
      const reason = one.refusal === 'not permitted' ? 'RefNotPermitted' : 'InvalidCertificateRef';
      return [{ reason, message: one.message }];
    }),
  };
}
