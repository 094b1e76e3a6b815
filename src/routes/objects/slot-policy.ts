import { remember } from '../../base/remember.ts';
import { formatProblem, type Problem } from '../../model/problem.ts';
import { type Condition, type Finding, fails, holds, toConditions } from './condition.ts';
import { SERVICES } from './core.ts';
import { type KubeObject, keyOf, type Objects, type Resource, withoutManagedFields } from './object.ts';
import { annotationWords, faultsOf, type Keys, type Words } from './service-settings.ts';
import type { RouteKind, StatusWish } from './translation.ts';

/** Settings of Services as an object of their own: direct policy attachment (GEP-713). */
export interface SlotPolicy extends KubeObject {
  readonly spec: {
    readonly targetRefs: readonly { readonly group?: string; readonly kind?: string; readonly name: string }[];
    /** All other keys: those of a service of the route file. */
    readonly [key: string]: unknown;
  };
  readonly status?: { readonly conditions?: readonly Condition[] };
}

/** SlotPolicies of all namespaces. */
export const SLOT_POLICIES: Resource<SlotPolicy> = {
  kind: 'SlotPolicy',
  group: 'sluice.dev',
  version: 'v1alpha1',
  plural: 'slotpolicies',
  namespaced: true,
  optional: true,
  read: withoutManagedFields,
};

/** What all SlotPolicies come to. */
export interface SlotPolicies {
  /** What is said of the Service with this key (see `keyOf`); undefined: no policy is about it. */
  wordsOf(service: string): Words | undefined;
  readonly problems: readonly Problem[];
  readonly statuses: readonly StatusWish[];
}

/** What SlotPolicies are told, once for all kinds of routes that heed them. */
export const slotPolicyStatuses: RouteKind = {
  source: 'SlotPolicy',
  resources: [SLOT_POLICIES, SERVICES],
  translate(objects, { now }) {
    const { problems, statuses } = slotPolicies(objects, now);
    const part = { source: 'SlotPolicy', listeners: [], services: [], implied: new Set<never>(), routes: [], problems };
    return { part, statuses };
  },
};

/** A policy by itself, whatever else there is. */
interface ReadPolicy {
  readonly words: Words;
  /** Everything that is wrong with the words. */
  readonly faults: readonly string[];
}

/** Policies as they were read before: every kind of routes asks for all of them. */
const known = new WeakMap<SlotPolicy, ReadPolicy>();

function readPolicy(policy: SlotPolicy): ReadPolicy {
  const words = { subject: `SlotPolicy ${keyOf(policy.metadata)}`, keys: keysOf(policy) };
  return { words, faults: faultsOf(words).map(textOf) };
}

/** A policy that says something readable about its Services. */
interface Claim {
  readonly policy: SlotPolicy;
  readonly words: Words;
}

/** For each Service the oldest policy counts; the others are told so. */
export function slotPolicies(objects: Objects, now: string): SlotPolicies {
  const claims = new Map<string, Claim>();
  const problems: Problem[] = [];
  const statuses = objects.all(SLOT_POLICIES).map((policy): StatusWish => {
    const read = remember(known, policy, readPolicy);
    const { subject } = read.words;
    const finding = judge(policy, read, { objects, claims });
    if (finding.status !== 'True' || finding.message !== '') {
      problems.push({
        severity: finding.status === 'True' ? 'warning' : 'error',
        subject,
        message: finding.message,
      });
    }
    const stamp = { generation: policy.metadata.generation ?? 1, now };
    const conditions = toConditions([finding], policy.status?.conditions ?? [], stamp);
    return { resource: SLOT_POLICIES, object: policy, status: { conditions } };
  });
  return { wordsOf: (service) => claims.get(service)?.words, problems, statuses };
}

interface Judging {
  readonly objects: Objects;
  /** Gets what this policy says. */
  readonly claims: Map<string, Claim>;
}

function judge(policy: SlotPolicy, { words, faults: unreadable }: ReadPolicy, { objects, claims }: Judging): Finding {
  // Its Services count as told about all the same: without a limit that they were to have they would be flooded.
  const faults = unreadable.map((message) => ({ reason: 'Invalid', message }));
  for (const { group = '', kind = 'Service', name } of policy.spec.targetRefs) {
    if (group !== '' || kind !== 'Service') {
      faults.push({ reason: 'Invalid', message: `a SlotPolicy is about Services, not about ${kind} ${name}` });
      continue;
    }
    const key = keyOf({ namespace: policy.metadata.namespace ?? '', name });
    const service = objects.get(SERVICES, policy.metadata.namespace ?? '', name);
    const other = claims.get(key);
    if (other !== undefined) {
      const message = `${other.words.subject} is older and about Service ${name} as well: that one counts`;
      faults.push({ reason: 'Conflicted', message });
      continue;
    }
    claims.set(key, { policy, words });
    if (service === undefined) faults.push({ reason: 'TargetNotFound', message: `there is no Service ${key}` });
    else if (annotationWords(service) !== undefined) {
      const message = `Service ${name} has annotations of sluice.dev as well, which do not count beside a SlotPolicy`;
      faults.push({ reason: 'Accepted', message });
    }
  }
  const worst = faults.find(({ reason }) => reason !== 'Accepted');
  const message = faults.map((one) => one.message).join('; ');
  return worst === undefined ? holds('Accepted', 'Accepted', message) : fails('Accepted', worst.reason, message);
}

/** Without the subject, which the object itself is. */
function textOf(problem: Problem): string {
  const text = formatProblem(problem);
  return text.startsWith(`${problem.subject}: `) ? text.slice(problem.subject.length + 2) : text;
}

/** All but the targets. The API server has checked that they are texts, numbers, booleans and maps of these. */
function keysOf({ spec: { targetRefs: _, ...keys } }: SlotPolicy): Keys {
  return keys as Keys;
}
