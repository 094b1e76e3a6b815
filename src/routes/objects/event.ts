import { createHash } from 'node:crypto';
import type { Condition } from './condition.ts';
import type { KubeObject } from './object.ts';
import { LONGEST_NOTE, type Told } from './told.ts';

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

/** What an object is told of a fault that its status has. */
export function toldFault(resource: Told['resource'], object: KubeObject, { type, reason, message }: Fault): Told {
  return { resource, object, type: 'Warning', reason, note: `${type}: ${message}` };
}

/** A text that is equal for what is told of one object once: the next generation is told anew. */
export function toldKey({ resource, object, reason, note }: Told): string {
  const { uid = '', generation = 0, namespace, name } = object.metadata;
  return JSON.stringify([resource.kind, namespace, name, uid, generation, reason, note]);
}

/** The Event that tells it: `kubectl describe` shows it. Its name is that of what it tells, so that nobody tells it twice. */
export function eventOf(told: Told, { controller, instance, time }: EventStamp) {
  const { resource, object, type, reason, note } = told;
  const { kind, group, version } = resource;
  const { name, namespace, uid } = object.metadata;
  const hash = createHash('sha256').update(toldKey(told)).digest('hex').slice(0, 16);
  return {
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata: { name: `${name.slice(0, 200)}.${hash}`, namespace: namespace ?? 'default' },
    eventTime: time,
    reportingController: controller,
    reportingInstance: instance,
    action: 'Translate',
    type,
    reason,
    note: note.slice(0, LONGEST_NOTE),
    regarding: {
      apiVersion: group === '' ? version : `${group}/${version}`,
      kind,
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(uid === undefined ? {} : { uid }),
    },
  };
}
