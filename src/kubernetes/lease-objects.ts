import type { Clock } from '../base/clock.ts';
import { ok, type Result } from '../base/result.ts';
import type { ApiFailure } from './api.ts';
import { type NamespacedApi, named, OwnNamespace } from './own-namespace.ts';

/** A Lease (coordination.k8s.io/v1), as far as it is used here. */
export interface LeaseObject {
  readonly metadata: {
    readonly name: string;
    readonly resourceVersion: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly ownerReferences?: readonly OwnerReference[];
  };
  readonly spec?: LeaseSpec;
}

/** Goes with it: the garbage collector deletes what belongs to an object that is gone. */
export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
}

/** Who has a Lease, and since when. */
export interface LeaseSpec {
  readonly holderIdentity?: string;
  readonly leaseDurationSeconds?: number;
  readonly leaseTransitions?: number;
  readonly renewTime?: string;
}

/** What is written: with the version that it is to replace, or without one where it is new. */
export interface WrittenLease {
  readonly metadata: Omit<LeaseObject['metadata'], 'resourceVersion'> & { readonly resourceVersion?: string };
  readonly spec: LeaseSpec;
}

/** The Leases of the namespace that Sluice runs in. Nothing here rejects. */
export class LeaseObjects {
  readonly #own: OwnNamespace;

  constructor(options: { readonly api: NamespacedApi; readonly clock: Clock }) {
    this.#own = new OwnNamespace(options);
  }

  /** One of them. */
  async get(name: string, signal: AbortSignal): Promise<Result<LeaseObject, ApiFailure>> {
    return asLease(await this.#own.get(LEASES, named(name), signal));
  }

  /** All of them with this label, as they are now. */
  async list(label: string, value: string, signal: AbortSignal): Promise<Result<readonly LeaseObject[], ApiFailure>> {
    const answer = await this.#own.get(LEASES, `?labelSelector=${encodeURIComponent(`${label}=${value}`)}`, signal);
    // An API server answers with the type that was asked for.
    return answer.ok ? ok((answer.value as { items: readonly LeaseObject[] }).items) : answer;
  }

  /** Makes a new one, or replaces the version that it names; who comes second gets 409. */
  async write(lease: WrittenLease, signal: AbortSignal): Promise<Result<LeaseObject, ApiFailure>> {
    const { name, resourceVersion } = lease.metadata;
    const [method, rest] = resourceVersion === undefined ? (['POST', ''] as const) : (['PUT', named(name)] as const);
    const body = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', ...lease };
    return asLease(await this.#own.write(method, { kind: LEASES, rest, body }, signal));
  }

  /** Deletes this version of it. */
  async remove({ metadata }: LeaseObject, signal: AbortSignal): Promise<Result<unknown, ApiFailure>> {
    const { name, resourceVersion } = metadata;
    const body = { apiVersion: 'v1', kind: 'DeleteOptions', preconditions: { resourceVersion } };
    return this.#own.write('DELETE', { kind: LEASES, rest: named(name), body }, signal);
  }
}

const LEASES = { group: '/apis/coordination.k8s.io/v1', plural: 'leases' };

function asLease(answer: Result<unknown, ApiFailure>): Result<LeaseObject, ApiFailure> {
  // An API server answers with the type that was asked for.
  return answer.ok ? ok(answer.value as LeaseObject) : answer;
}
