import { isIPv4, isIPv6 } from 'node:net';
import type { V1Endpoint, V1EndpointSlice, V1Service } from '@kubernetes/client-node';

/** What Sluice keeps of one endpoint of an EndpointSlice: pods by the ten thousand must fit into little memory. */
export interface SliceEndpoint {
  readonly ip: string;
  readonly state: 'ready' | 'draining';
  /** The same for the IPv4 and the IPv6 address of one pod; empty when the slice does not say whose address it is. */
  readonly pod: string;
  /** The pod's name and its node, as far as the slice says. */
  readonly name?: string;
  readonly node?: string;
}

/** A named port of the pods; a missing number means every port. */
export interface SlicePort {
  readonly name: string;
  readonly port: number | undefined;
}

/** What Sluice keeps of an EndpointSlice. */
export interface Slice {
  readonly name: string;
  /** The Service it belongs to: its label `kubernetes.io/service-name`. */
  readonly service: string;
  readonly family: 'IPv4' | 'IPv6';
  /** TCP only. */
  readonly ports: readonly SlicePort[];
  /** Those that get traffic or finish what they have; the others are only counted. */
  readonly endpoints: readonly SliceEndpoint[];
  /** How many endpoints are neither ready nor terminating. */
  readonly unready: number;
}

/** A port of a Service. */
export interface ServicePort {
  /** Empty for the only, unnamed port. */
  readonly name: string;
  readonly port: number;
}

/** What Sluice keeps of a Service. */
export interface KubeService {
  readonly name: string;
  /** The host an `ExternalName` Service stands for; undefined for any other type. */
  readonly externalName: string | undefined;
  /** TCP only. */
  readonly ports: readonly ServicePort[];
  /** The family that was asked for first: it decides which address of a dual-stack pod is used. */
  readonly family: 'IPv4' | 'IPv6';
  /** It has addresses of both families, and so have its pods. */
  readonly dualStack: boolean;
}

/** The label by which a slice says which Service it belongs to. */
export const SERVICE_NAME_LABEL = 'kubernetes.io/service-name';

/**
 * Conditions as the API documents them: an unset `ready` counts as true, an unset `terminating` as false. Terminating
 * goes before ready, because `publishNotReadyAddresses` calls even terminating pods ready.
 */
function stateOf(endpoint: V1Endpoint): 'ready' | 'draining' | 'unready' {
  if (endpoint.conditions?.terminating === true) return 'draining';
  return endpoint.conditions?.ready === false ? 'unready' : 'ready';
}

/** What people call it. */
function namesOf({ targetRef, nodeName }: V1Endpoint): Pick<SliceEndpoint, 'name' | 'node'> {
  const name = targetRef?.kind === 'Pod' ? targetRef.name : undefined;
  return { ...(name && { name }), ...(nodeName && { node: nodeName }) };
}

/**
 * Keeps what matters of an EndpointSlice; undefined for one that belongs to no Service or holds host names
 * (`addressType: FQDN`, which Kubernetes itself no longer makes).
 */
export function readSlice(object: V1EndpointSlice): Slice | undefined {
  const name = object.metadata?.name;
  const service = object.metadata?.labels?.[SERVICE_NAME_LABEL];
  const family = object.addressType;
  if (name === undefined || !service || (family !== 'IPv4' && family !== 'IPv6')) return undefined;
  const isAddress = family === 'IPv4' ? isIPv4 : isIPv6;
  const endpoints: SliceEndpoint[] = [];
  let unready = 0;
  for (const endpoint of object.endpoints ?? []) {
    const state = stateOf(endpoint);
    // Several addresses of one endpoint are the same pod: the API says that the first one stands for all.
    const ip = endpoint.addresses?.[0];
    if (ip === undefined || !isAddress(ip)) continue;
    if (state === 'unready') unready++;
    else endpoints.push({ ip, state, pod: endpoint.targetRef?.uid ?? '', ...namesOf(endpoint) });
  }
  const ports = (object.ports ?? [])
    .filter(({ protocol }) => (protocol ?? 'TCP') === 'TCP')
    .map(({ name: portName, port }) => ({ name: portName ?? '', port: port ?? undefined }));
  return { name, service, family, ports, endpoints, unready };
}

/** Keeps what matters of a Service; undefined for an object without a name. */
export function readService(object: V1Service): KubeService | undefined {
  const name = object.metadata?.name;
  if (name === undefined) return undefined;
  const spec = object.spec;
  return {
    name,
    externalName: spec?.type === 'ExternalName' ? (spec.externalName ?? '') : undefined,
    ports: (spec?.ports ?? [])
      .filter(({ protocol }) => (protocol ?? 'TCP') === 'TCP')
      .map(({ name: portName, port }) => ({ name: portName ?? '', port })),
    family: spec?.ipFamilies?.[0] === 'IPv6' ? 'IPv6' : 'IPv4',
    dualStack: (spec?.ipFamilies?.length ?? 0) > 1,
  };
}

/** Whether two slices mean the same, so that a change of annotations costs nothing further. */
export function sameSlice(a: Slice, b: Slice): boolean {
  return (
    a.service === b.service &&
    a.family === b.family &&
    a.unready === b.unready &&
    a.ports.length === b.ports.length &&
    a.endpoints.length === b.endpoints.length &&
    a.ports.every(({ name, port }, at) => name === b.ports[at]?.name && port === b.ports[at]?.port) &&
    a.endpoints.every(({ ip, state, pod, name, node }, at) => {
      const other = b.endpoints[at];
      return (
        ip === other?.ip && state === other.state && pod === other.pod && name === other.name && node === other.node
      );
    })
  );
}
