import type { Locator } from '../../model/locator.ts';
import { normalizePods, type Pod } from '../../model/pod.ts';
import type { Problem } from '../../model/problem.ts';
import { type PortOfSlice, type PortResolution, resolvePodPort, resolveServicePort } from './resolve-port.ts';
import type { KubeService, Slice } from './slice.ts';

/** A locator of pods behind a Kubernetes Service. */
export type KubeLocator = Extract<Locator, { kind: 'kubernetes' }>;

/** What is known about the Service itself; its slices are known apart from it. */
export type ServiceKnowledge =
  /** The Services of the namespace cannot be read. */
  | { readonly kind: 'unknown' }
  /** They can, and this one is not among these. */
  | { readonly kind: 'absent'; readonly others: readonly string[] }
  | { readonly kind: 'known'; readonly service: KubeService };

/** What a locator finds. */
export type Finding =
  | { readonly kind: 'found'; readonly pods: readonly Pod[]; readonly problems: readonly Problem[] }
  /** It cannot be told where the pods are; those known before are the best there is. */
  | { readonly kind: 'unclear'; readonly problems: readonly Problem[] };

/**
 * Whose addresses of the other family are left out. A pod that has both an IPv4 and an IPv6 address must count once, or
 * it would be given twice its limit: it is taken by its address of the family that the Service asked for first. The
 * slices of the two families change one after the other, so for a dual-stack Service the other family's do not count
 * at all: a pod that has just left the one must not come back for a moment by the other.
 */
function isDoubled(slices: readonly Slice[], family: Slice['family'], dualStack: boolean): (pod: string) => boolean {
  const own = slices.filter((slice) => slice.family === family);
  if (own.length === slices.length) return () => false;
  // Endpoints that do not say whose they are (a Service without selector) cannot be matched up.
  if (dualStack && own.length > 0) return (pod) => pod !== '';
  const pods = new Set(own.flatMap(({ endpoints }) => endpoints.map(({ pod }) => pod)));
  return (pod) => pod !== '' && pods.has(pod);
}

/** All pods of the slices, on their ports. */
function podsOf(slices: readonly Slice[], portOf: PortOfSlice, knowledge: ServiceKnowledge): readonly Pod[] {
  const { family, dualStack } = knowledge.kind === 'known' ? knowledge.service : UNKNOWN_FAMILY;
  const doubled = isDoubled(slices, family, dualStack);
  const pods: Pod[] = [];
  for (const slice of slices) {
    const port = portOf(slice);
    if (port === undefined) continue;
    for (const { ip, state, pod, name, node } of slice.endpoints) {
      if (slice.family !== family && doubled(pod)) continue;
      pods.push({ ip, port, state, ...(name && { name }), ...(node && { node }) });
    }
  }
  return normalizePods(pods);
}

const UNKNOWN_FAMILY = { family: 'IPv4', dualStack: false } as const;

/** At most five names, and how many more there are. */
function someOf(names: readonly string[]): string {
  const shown = names.slice(0, 5).join(', ');
  return names.length > 5 ? `${shown} and ${names.length - 5} more` : shown;
}

function noReadyPod(pods: readonly Pod[], slices: readonly Slice[]): string {
  const unready = slices.reduce((sum, slice) => sum + slice.unready, 0);
  const parts = [
    ...(unready > 0 ? [`${unready} not ready`] : []),
    ...(pods.length > 0 ? [`${pods.length} terminating`] : []),
  ];
  return parts.length === 0 ? 'the Service has no pods' : `no pod is ready (${parts.join(', ')})`;
}

function absentService(
  { service }: KubeLocator,
  namespace: string,
  others: readonly string[],
): Omit<Problem, 'subject'> {
  return {
    severity: 'error',
    message: `there is no Service ${service} in namespace ${namespace}`,
    fix:
      others.length === 0
        ? 'check the namespace: it has no Services, or does not exist'
        : `the Services there are: ${someOf(others)}`,
  };
}

/** `kubernetes ai-media/codec`: what problems of this locator are about. */
export function subjectOf(namespace: string, service: string): string {
  return `kubernetes ${namespace}/${service}`;
}

/**
 * Leads a locator to its pods: ready ones and, as long as the slices have them, terminating ones. `namespace` is the
 * locator's own or the default one; `slices` are those of its Service only.
 */
export function findPods(
  locator: KubeLocator,
  namespace: string,
  knowledge: ServiceKnowledge,
  slices: readonly Slice[],
): Finding {
  const subject = subjectOf(namespace, locator.service);
  const problems: Problem[] = [];
  if (knowledge.kind === 'absent') problems.push({ subject, ...absentService(locator, namespace, knowledge.others) });
  const externalName = knowledge.kind === 'known' ? knowledge.service.externalName : undefined;
  if (externalName !== undefined) {
    const message = `Service ${locator.service} is of type ExternalName, which has no pods in the cluster`;
    const fix = `write dns: {host: ${externalName}, port: …} instead`;
    return { kind: 'found', pods: [], problems: [{ severity: 'error', subject, message, fix }] };
  }
  const resolution = resolvePort(locator, knowledge, slices);
  if (resolution === undefined) {
    return knowledge.kind === 'unknown' ? { kind: 'unclear', problems } : { kind: 'found', pods: [], problems };
  }
  if (resolution.kind === 'absent') {
    const { message, fix } = resolution;
    return { kind: 'unclear', problems: [...problems, { severity: 'error', subject, message, fix }] };
  }
  const pods = podsOf(slices, resolution.portOf, knowledge);
  if (resolution.warning !== undefined) problems.push({ severity: 'warning', subject, message: resolution.warning });
  if (!pods.some(({ state }) => state === 'ready') && knowledge.kind !== 'absent') {
    problems.push({ severity: 'warning', subject, message: noReadyPod(pods, slices) });
  }
  return { kind: 'found', pods, problems };
}

/** Undefined: a Service's port without the Service. */
function resolvePort(
  { port }: KubeLocator,
  knowledge: ServiceKnowledge,
  slices: readonly Slice[],
): PortResolution | undefined {
  if (port.kind === 'pod') return resolvePodPort(port.port, slices);
  return knowledge.kind === 'known' ? resolveServicePort(port.port, knowledge.service, slices) : undefined;
}
