import { assertNever } from '../base/assert-never.ts';
import type { Change } from '../snapshot/diff.ts';
import { TYPE_URLS } from '../snapshot/resource.ts';
import { PUBLIC, serviceOfCluster } from './contract.ts';

/** What a change of one resource means for requests that are under way. */
export interface EditEffect {
  /** Whether any of them may notice it. */
  readonly touches: boolean;
  /** A sentence without its stop. */
  readonly what: string;
}

/**
 * What it means when Envoy gets this change. `services`: those that are in both configurations, whose requests there
 * may be under way.
 */
export function editEffect(change: Change, services: ReadonlySet<string>): EditEffect {
  const { typeUrl, name } = change.kind === 'removed' ? change.before : change.after;
  switch (typeUrl) {
    case TYPE_URLS.cluster:
      return cluster(change.kind, name, services);
    case TYPE_URLS.endpoints:
      return change.kind === 'changed'
        ? harmless('pods that go finish the requests they have; the gate follows in the right order')
        : harmless('comes and goes with its cluster');
    case TYPE_URLS.listener:
      return listener(change.kind, name);
    case TYPE_URLS.routes:
      return harmless('new requests take the new routes; those under way stay where they are');
    case TYPE_URLS.secret:
      return harmless('new connections get the new certificate');
    case TYPE_URLS.runtime:
      return harmless(
        'limits and lengths of lines move at once and touch nothing; who is above a lowered one finishes',
      );
    default:
      return assertNever(typeUrl);
  }
}

function cluster(kind: Change['kind'], name: string, services: ReadonlySet<string>): EditEffect {
  const service = serviceOfCluster(name);
  const stays = service !== undefined && services.has(service);
  if (kind === 'changed') return touching('is replaced: counts from 0, beside the requests that the old one still has');
  if (kind === 'added') return harmless(stays ? 'a pod moves here when its old requests have ended' : 'new');
  if (!stays) return harmless('stays until the requests it has are answered, then goes');
  return harmless('stays until its last request has ended; nobody loses the place in line');
}

function listener(kind: Change['kind'], name: string): EditEffect {
  if (kind === 'added') return harmless('new');
  if (name !== PUBLIC) return touching('is replaced: its connections drain, requests under way finish');
  return touching('clients connect anew, each after its next answer; requests under way and in line finish');
}

function harmless(what: string): EditEffect {
  return { touches: false, what };
}

function touching(what: string): EditEffect {
  return { touches: true, what };
}
