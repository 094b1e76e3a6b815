import { assertNever } from '../base/assert-never.ts';
import type { Change } from '../snapshot/diff.ts';
import { TYPE_URLS } from '../snapshot/resource.ts';
import { CONTROL_LISTENER } from './contract.ts';

/** What a change of one resource means for requests that are under way. */
export interface EditEffect {
  /** Whether any of them may notice it. */
  readonly touches: boolean;
  /** A sentence without its stop. */
  readonly what: string;
}

/** What it means when Envoy gets this change. */
export function editEffect(change: Change): EditEffect {
  const { typeUrl, name } = change.kind === 'removed' ? change.before : change.after;
  switch (typeUrl) {
    case TYPE_URLS.cluster:
      return cluster(change.kind);
    case TYPE_URLS.endpoints:
      return change.kind === 'changed'
        ? harmless('pods that go finish the requests they have')
        : harmless('comes and goes with its cluster');
    case TYPE_URLS.extension:
      return harmless('the queue and who waits in it stay');
    case TYPE_URLS.listener:
      return listener(change.kind, name);
    case TYPE_URLS.routes:
      return harmless('new requests take the new routes; those under way stay where they are');
    case TYPE_URLS.secret:
      return harmless('new connections get the new certificate');
    default:
      return assertNever(typeUrl);
  }
}

function cluster(kind: Change['kind']): EditEffect {
  switch (kind) {
    case 'added':
      return harmless('new');
    case 'removed':
      return harmless('stays until the requests it has are answered, then goes; those who wait for it are refused');
    case 'changed':
      return harmless('requests under way finish on their connections, new ones get new connections; the queue stays');
    default:
      return assertNever(kind);
  }
}

function listener(kind: Change['kind'], name: string): EditEffect {
  if (kind === 'added') return harmless('new');
  if (name === CONTROL_LISTENER) return harmless('the stream to Sluice begins anew; requests do not notice');
  return {
    touches: true,
    what: 'clients connect anew, each after its next answer; requests under way and in the queue finish',
  };
}

function harmless(what: string): EditEffect {
  return { touches: false, what };
}
