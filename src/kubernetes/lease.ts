import type { Clock } from '../base/clock.ts';
import { sleep } from '../base/clock.ts';
import type { Result } from '../base/result.ts';
import type { SourceLog } from '../model/source.ts';
import type { ApiFailure, KubeApi, KubeWriter } from './api.ts';
import { Deadline } from './deadline.ts';

/** What a lease works with. */
export interface LeaseOptions {
  readonly api: KubeApi & KubeWriter & { namespace(): Promise<Result<string, ApiFailure>> };
  readonly clock: Clock;
  /** Evenly from 0 to 1. */
  readonly random: () => number;
  readonly log: SourceLog;
  /** The Lease's name, in the namespace that Sluice runs in. */
  readonly name: string;
  /** What this Sluice is called among those that want it; different from all others, and from itself after a restart. */
  readonly identity: string;
}

/** Whoever has not renewed it for so long has lost it. */
const DURATION_MS = 15_000;
/** Between two looks at it. */
const RENEW_MS = 4000;
/** So long after its last renewal the holder counts on it: less than others wait. */
const TRUST_MS = 10_000;
/** Longest time for one question. */
const ANSWER_MS = 3000;

interface LeaseObject {
  readonly metadata: { readonly resourceVersion: string };
  readonly spec?: { readonly holderIdentity?: string; readonly leaseTransitions?: number; readonly renewTime?: string };
}

/**
 * One of several that does what only one is to do (coordination.k8s.io/v1). Times of other machines are not looked at: a
 * Lease that has not changed for its duration, by our own clock, may be taken. Where there is no right to it everybody counts
 * as its holder.
 */
export class Lease {
  readonly #options: LeaseOptions;
  #state: 'waiting' | 'held' | 'without' = 'waiting';
  /** Monotonic milliseconds of the last renewal that succeeded. */
  #renewed = 0;
  /** As the API server answered our last write: the next one needs no look. */
  #own: LeaseObject | undefined;
  #seen: { readonly version: string; readonly since: number } | undefined;

  constructor(options: LeaseOptions) {
    this.#options = options;
  }

  /** Whether it is ours now. */
  get isHeld(): boolean {
    if (this.#state === 'without') return true;
    return this.#state === 'held' && this.#options.clock.monotonic() - this.#renewed < TRUST_MS;
  }

  /** Takes it as soon as it is free and renews it, until `signal` is aborted; then gives it up. Never rejects. */
  async run(signal: AbortSignal, changed: () => void): Promise<void> {
    const { clock, random, api } = this.#options;
    while (!signal.aborted) {
      const before = this.isHeld;
      const namespace = await api.namespace();
      if (namespace.ok) await this.#step(namespace.value, signal);
      if (this.isHeld !== before && !signal.aborted) changed();
      // Not all in the same moment.
      await sleep(clock, RENEW_MS * (0.9 + random() / 5), signal);
    }
    await this.#giveUp();
  }

  async #step(namespace: string, signal: AbortSignal): Promise<void> {
    const { api, clock, name } = this.#options;
    const asked = clock.monotonic();
    if (this.#own !== undefined) {
      this.#took(asked, await this.#write(namespace, this.#own, signal));
      if (this.#own !== undefined) return;
    }
    const found = await this.#within(signal, (within) => api.get(path(namespace, name), within));
    if (!found.ok) {
      const [failure] = found.errors;
      if (failure?.kind !== 'status') return;
      if (failure.code === 404) this.#took(asked, await this.#create(namespace, signal));
      else if (failure.code === 403) this.#doWithout(failure);
      return;
    }
    // An API server answers with the type that was asked for.
    const lease = JSON.parse(found.value) as LeaseObject;
    if (!this.#isOurs(lease) && !this.#isFree(lease)) {
      this.#state = 'waiting';
      return;
    }
    this.#took(asked, await this.#write(namespace, lease, signal));
  }

  #isOurs({ spec }: LeaseObject): boolean {
    return spec?.holderIdentity === this.#options.identity;
  }

  /** Nobody has it, or whoever has it has not renewed it for its duration. */
  #isFree({ metadata, spec }: LeaseObject): boolean {
    const now = this.#options.clock.monotonic();
    if (this.#seen?.version !== metadata.resourceVersion)
      this.#seen = { version: metadata.resourceVersion, since: now };
    return (spec?.holderIdentity ?? '') === '' || now - this.#seen.since >= DURATION_MS;
  }

  #took(asked: number, written: Result<string, ApiFailure>): void {
    this.#own = written.ok ? (JSON.parse(written.value) as LeaseObject) : undefined;
    if (written.ok) {
      this.#renewed = asked;
      this.#state = 'held';
      return;
    }
    const [failure] = written.errors;
    if (failure?.kind === 'status' && failure.code === 403) this.#doWithout(failure);
    // 409: somebody else was faster.
    else if (failure?.kind === 'status' && failure.code === 409) this.#state = 'waiting';
  }

  #doWithout({ message }: Extract<ApiFailure, { kind: 'status' }>): void {
    if (this.#state !== 'without') {
      const what = 'without the right to a Lease every Sluice writes statuses; with only one Sluice that does no harm';
      this.#options.log('info', what, { message });
    }
    this.#state = 'without';
  }

  #create(namespace: string, signal: AbortSignal): Promise<Result<string, ApiFailure>> {
    const { api, name } = this.#options;
    const body = { ...HEAD, metadata: { name, namespace }, spec: this.#spec(0) };
    const all = `/apis/coordination.k8s.io/v1/namespaces/${encodeURIComponent(namespace)}/leases`;
    return this.#within(signal, (within) => api.write('POST', all, body, within));
  }

  #write(namespace: string, lease: LeaseObject, signal: AbortSignal): Promise<Result<string, ApiFailure>> {
    const { api, name } = this.#options;
    const transitions = (lease.spec?.leaseTransitions ?? 0) + (this.#isOurs(lease) ? 0 : 1);
    const { resourceVersion } = lease.metadata;
    const body = { ...HEAD, metadata: { name, namespace, resourceVersion }, spec: this.#spec(transitions) };
    return this.#within(signal, (within) => api.write('PUT', path(namespace, name), body, within));
  }

  #spec(leaseTransitions: number) {
    const { clock, identity } = this.#options;
    const renewTime = new Date(clock.now()).toISOString().replace('Z', '000Z');
    return { holderIdentity: identity, leaseDurationSeconds: DURATION_MS / 1000, renewTime, leaseTransitions };
  }

  /** So that the next one need not wait. */
  async #giveUp(): Promise<void> {
    const { api, name } = this.#options;
    if (this.#state !== 'held') return;
    this.#state = 'waiting';
    const namespace = await api.namespace();
    if (!namespace.ok) return;
    const never = new AbortController().signal;
    const found = await this.#within(never, (within) => api.get(path(namespace.value, name), within));
    if (!found.ok) return;
    const lease = JSON.parse(found.value) as LeaseObject;
    if (!this.#isOurs(lease)) return;
    const spec = { ...this.#spec(lease.spec?.leaseTransitions ?? 0), holderIdentity: '' };
    const body = {
      ...HEAD,
      metadata: { name, namespace: namespace.value, resourceVersion: lease.metadata.resourceVersion },
      spec,
    };
    await this.#within(never, (within) => api.write('PUT', path(namespace.value, name), body, within));
  }

  async #within<T>(signal: AbortSignal, ask: (within: AbortSignal) => Promise<T>): Promise<T> {
    const within = new Deadline(this.#options.clock, signal);
    within.set(ANSWER_MS, `no answer within ${ANSWER_MS / 1000} s`);
    const answer = await ask(within.signal);
    within.end();
    return answer;
  }
}

const HEAD = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease' };

function path(namespace: string, name: string): string {
  return `/apis/coordination.k8s.io/v1/namespaces/${encodeURIComponent(namespace)}/leases/${encodeURIComponent(name)}`;
}
