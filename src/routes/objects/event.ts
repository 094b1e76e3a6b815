import type { Condition } from './condition.ts';
import type { KubeObject, Resource } from './object.ts';

/** Something that is wrong with an object, as its status says it. */
export interface Fault {
  readonly type: string;
  readonly reason: string;
  readonly message: string;
}

/** Conditions that are bad news when they hold; all others are when they do not. */
const BAD_WHEN_TRUE = new Set(['Conflicted', 'PartiallyInvalid']);

/** Faults that a status tells and the one before it did not: of the object, its listeners, or one of its parents. */
export function newFaults(before: unknown, after: unknown): readonly Fault[] {
  const known = new Set(faultsIn(before).map(keyOf));
  const faults = new Map(faultsIn(after).map((fault) => [keyOf(fault), fault]));
  return [...faults].filter(([key]) => !known.has(key)).map(([, fault]) => fault);
}

function keyOf({ type, reason, message }: Fault): string {
  return JSON.stringify([type, reason, message]);
}

/** Wherever in a status conditions are. */
function faultsIn(value: unknown): readonly Fault[] {
  if (Array.isArray(value)) return value.flatMap(faultsIn);
  if (typeof value !== 'object' || value === null) return [];
  if (isCondition(value)) {
    const { type, status, reason, message } = value;
    const isBad = status === (BAD_WHEN_TRUE.has(type) ? 'True' : 'False');
    return isBad ? [{ type, reason, message }] : [];
  }
  return Object.values(value).flatMap(faultsIn);
}

function isCondition(value: object): value is Condition {
  return (
    'type' in value && 'status' in value && 'reason' in value && 'message' in value && 'lastTransitionTime' in value
  );
}

/** Longest note that the API takes. */
const LONGEST_NOTE = 1024;

/** Who tells, and when. */
export interface EventStamp {
  readonly controller: string;
  /** One of several Sluices. */
  readonly instance: string;
  /** RFC 3339 with microseconds. */
  readonly time: string;
}

/** Where events about an object are created; those about objects without a namespace are in `default`. */
export function eventsPath({ metadata: { namespace } }: KubeObject): string {
  return `/apis/events.k8s.io/v1/namespaces/${encodeURIComponent(namespace ?? 'default')}/events`;
}

/** The Event that tells of a fault: `kubectl describe` shows it. */
export function faultEvent(
  resource: Pick<Resource<KubeObject>, 'kind' | 'group' | 'version'>,
  { metadata }: KubeObject,
  fault: Fault,
  { controller, instance, time }: EventStamp,
) {
  const { kind, group, version } = resource;
  const { name, namespace, uid } = metadata;
  return {
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata: { generateName: `${name}-`, namespace: namespace ?? 'default' },
    eventTime: time,
    reportingController: controller,
    reportingInstance: instance,
    action: 'Translate',
    type: 'Warning',
    reason: fault.reason,
    note: `${fault.type}: ${fault.message}`.slice(0, LONGEST_NOTE),
    regarding: {
      apiVersion: group === '' ? version : `${group}/${version}`,
      kind,
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(uid === undefined ? {} : { uid }),
    },
  };
}
