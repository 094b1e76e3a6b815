import type { Locator } from '../../model/locator.ts';
import { normalizePods, type Pod } from '../../model/pod.ts';
import type { Problem } from '../../model/problem.ts';
import { type KubePod, LIMIT_ANNOTATION } from './pod-index.ts';
import { type PortOfSlice, type PortResolution, resolvePodPort, resolveServicePort } from './resolve-port.ts';
import type { KubeService, Slice, SliceEndpoint } from './slice.ts';

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

/** The Pod with this uid; undefined: it is not known (yet). */
export type PodOf = (uid: string) => KubePod | undefined;

/** Where an endpoint may say its own limit. */
interface OwnLimits {
  readonly podOf: PodOf;
  /** Gets the Pods that say something else: name and text. */
  readonly unreadable: Map<string, string>;
}

/** The endpoint's own limit; undefined: it may not be used before its Pod is known, which may allow less than the service does. */
function limitOf({ pod: uid, state }: SliceEndpoint, own: OwnLimits | undefined): Pick<Pod, 'limit'> | undefined {
  // Endpoints that somebody else than the controller makes may have no Pod.
  if (own === undefined || uid === '') return {};
  const pod = own.podOf(uid);
  // One that drains gets nothing new, and its Pod may be gone already.
  if (pod === undefined) return state === 'draining' ? {} : undefined;
  const { limit } = pod;
  if (limit === undefined) return {};
  if (typeof limit === 'number') return { limit };
  own.unreadable.set(pod.name, limit.unreadable);
  return {};
}

/** All pods of the slices, on their ports. */
function podsOf(
  slices: readonly Slice[],
  portOf: PortOfSlice,
  { knowledge, own }: { readonly knowledge: ServiceKnowledge; readonly own: OwnLimits | undefined },
): readonly Pod[] {
  const { family, dualStack } = knowledge.kind === 'known' ? knowledge.service : UNKNOWN_FAMILY;
  const doubled = isDoubled(slices, family, dualStack);
  const pods: Pod[] = [];
  for (const slice of slices) {
    const port = portOf(slice);
    if (port === undefined) continue;
    for (const endpoint of slice.endpoints) {
      const { ip, state, pod, name, node } = endpoint;
      if (slice.family !== family && doubled(pod)) continue;
      const limit = limitOf(endpoint, own);
      if (limit === undefined) continue;
      pods.push({ ip, port, state, ...(name && { name }), ...(node && { node }), ...limit });
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

function unreadableLimits(unreadable: ReadonlyMap<string, string>): Omit<Problem, 'subject'> {
  const names = [...unreadable.keys()].sort();
  const said = JSON.stringify(unreadable.get(names[0] ?? ''));
  const message = `${LIMIT_ANNOTATION}: ${said} is no limit; that of the service holds for Pod ${someOf(names)}`;
  return { severity: 'warning', message, fix: 'write a whole number from 1 up, in quotes: "4"' };
}

/** `kubernetes ai-media/codec`: what problems of this locator are about. */
function subjectOf(namespace: string, service: string): string {
  return `kubernetes ${namespace}/${service}`;
}

/**
 * Leads a locator to its pods: ready ones and, as long as the slices have them, terminating ones. `namespace` is the
 * locator's own or the default one; `slices` are those of its Service only. `podOf` is asked where Pods may say their limit.
 */
export function findPods(
  locator: KubeLocator,
  namespace: string,
  knowledge: ServiceKnowledge,
  slices: readonly Slice[],
  podOf: PodOf = () => undefined,
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
  const unreadable = new Map<string, string>();
  const own = locator.podLimits === true ? { podOf, unreadable } : undefined;
  const pods = podsOf(slices, resolution.portOf, { knowledge, own });
  if (unreadable.size > 0) problems.push({ subject, ...unreadableLimits(unreadable) });
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
