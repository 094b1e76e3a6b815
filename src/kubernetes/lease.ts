import type { Clock } from '../base/clock.ts';
import { sleep } from '../base/clock.ts';
import type { Result } from '../base/result.ts';
import type { SourceLog } from '../model/source.ts';
import type { ApiFailure } from './api.ts';
import { type LeaseObject, LeaseObjects, type LeaseSpec } from './lease-objects.ts';
import { isStatus, type NamespacedApi } from './own-namespace.ts';

/** What a lease works with. */
export interface LeaseOptions {
  readonly api: NamespacedApi;
  readonly clock: Clock;
  /** Evenly from 0 to 1. */
  readonly random: () => number;
  readonly log: SourceLog;
  /** The Lease's name, in the namespace that Sluice runs in. */
  readonly name: string;
  /** What this Sluice is called among those that want it; different from all others, and from itself after a restart. */
  readonly identity: string;
  /** `DEFAULT_TIMES` when left out. */
  readonly times?: LeaseTimes;
  /** Written by whoever has it, for the others. */
  readonly annotations?: Readonly<Record<string, string>>;
  /** What the identities of earlier starts in this place begin with: they have ended, so that nobody has to wait for one. */
  readonly earlier?: string;
  /** What holds without the right to it. */
  readonly withoutRight: WithoutRight;
}

/** Without the right to a Lease everybody counts as its holder, or nobody; `message` is logged then, and how to mend it. */
export interface WithoutRight {
  readonly isHeld: boolean;
  readonly level: 'info' | 'warn';
  readonly message: string;
}

/** How soon one that has ended is replaced. No clock but our own is looked at. */
export interface LeaseTimes {
  /** Whoever has not renewed it for so long has lost it. */
  readonly durationMs: number;
  /** Between two looks at it. */
  readonly renewMs: number;
  /** So long after its last renewal the holder counts on it (`isHeld`): less than others wait. */
  readonly trustMs: number;
}

/** Whoever has it. */
export interface LeaseHolder {
  readonly identity: string;
  readonly term: number;
  readonly annotations: Readonly<Record<string, string>>;
}

export const DEFAULT_TIMES: LeaseTimes = { durationMs: 15_000, renewMs: 4000, trustMs: 10_000 };

/** Written with each acquisition; it only grows. */
const TERM = 'sluice.dev/term';

/**
 * One of several that does what only one is to do (coordination.k8s.io/v1). Times of other machines are not looked at: a
 * Lease that has not changed for its duration, by our own clock, may be taken. Each time that it is taken has a number of its own,
 * its term, which is higher than all before.
 */
export class Lease {
  readonly #options: LeaseOptions;
  readonly #times: LeaseTimes;
  readonly #leases: LeaseObjects;
  #state: 'waiting' | 'held' | 'without' = 'waiting';
  /** Of the last time that it was taken by us. */
  #term = 0;
  /** Monotonic milliseconds of the last renewal that succeeded. */
  #renewed = 0;
  /** As the API server answered our last write: the next one needs no look. */
  #own: LeaseObject | undefined;
  #seen: { readonly version: string; readonly since: number } | undefined;
  #holder: LeaseHolder | undefined;
  #isFirstLook = true;
  /** That it may not be had has been said. */
  #isRefused = false;
  #changed: () => void = () => {};
  #told = '';
  /** One step at a time: each goes by what the one before has read. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: LeaseOptions) {
    this.#options = options;
    this.#times = options.times ?? DEFAULT_TIMES;
    this.#leases = new LeaseObjects(options);
  }

  /** Whether it is ours, and nobody else can have taken it by now as far as clocks go evenly. */
  get isHeld(): boolean {
    if (this.#state === 'without') return this.#options.withoutRight.isHeld;
    return this.#state === 'held' && this.#options.clock.monotonic() - this.#renewed < this.#times.trustMs;
  }

  /** The term that we took it for, until we learn that somebody else has taken it: that may be later than it happened. */
  get term(): number | undefined {
    return this.#state === 'held' ? this.#term : undefined;
  }

  /** Who had it when it was read last; undefined: we have it, nobody, or it has not been read yet. */
  get holder(): LeaseHolder | undefined {
    return this.#state === 'held' ? undefined : this.#holder;
  }

  /**
   * Takes it as soon as it is free and renews it, until `signal` is aborted; then gives it up. `changed` is called when something of
   * the above is different. Never rejects.
   */
  async run(signal: AbortSignal, changed: () => void): Promise<void> {
    const { clock, random } = this.#options;
    this.#told = this.#summary();
    this.#changed = () => {
      if (!signal.aborted) changed();
    };
    while (!signal.aborted) {
      await this.#inTurn(() => this.#step(signal));
      // Not all in the same moment.
      await sleep(clock, this.#times.renewMs * (0.9 + random() / 5), signal);
    }
    await this.#inTurn(() => this.#giveUp());
  }

  /**
   * Writes to it. True: when that was asked for, nobody had taken it after this term. False: that cannot be said; where somebody has,
   * `term` is another one.
   */
  prove(term: number, signal: AbortSignal): Promise<boolean> {
    return this.#inTurn(async () => (await this.#step(signal)) && this.term === term);
  }

  /** Reads it anew. False: that was not possible. */
  look(signal: AbortSignal): Promise<boolean> {
    return this.#inTurn(async () => {
      const found = await this.#leases.get(this.#options.name, signal);
      if (!found.ok) return false;
      if (!this.#isOurs(found.value)) this.#see(found.value);
      return true;
    });
  }

  #summary(): string {
    const { identity, term } = this.holder ?? {};
    return JSON.stringify([this.isHeld, this.term, identity, term]);
  }

  #tell(): void {
    const now = this.#summary();
    if (now === this.#told) return;
    this.#told = now;
    this.#changed();
  }

  #inTurn<T>(step: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(step).finally(() => this.#tell());
    this.#turn = turn;
    return turn;
  }

  /** Whether it has been written. */
  async #step(signal: AbortSignal): Promise<boolean> {
    const { clock, name } = this.#options;
    const asked = clock.monotonic();
    if (this.#own !== undefined && this.#took(asked, await this.#write(this.#own, signal))) return true;
    const found = await this.#leases.get(name, signal);
    if (!found.ok) {
      // Nobody takes over what cannot be read: whoever has it could not renew it either.
      this.#seen = undefined;
      this.#doWithoutIf(found);
      if (!isStatus(found, 404)) return false;
      this.#lose();
      return this.#took(asked, await this.#write(undefined, signal));
    }
    const isFree = this.#isFree(found.value);
    this.#isFirstLook = false;
    if (!this.#isOurs(found.value)) {
      this.#see(found.value);
      if (!isFree) return false;
    }
    return this.#took(asked, await this.#write(found.value, signal));
  }

  #isOurs({ spec }: LeaseObject): boolean {
    return spec?.holderIdentity === this.#options.identity;
  }

  /** Nobody has it, or whoever has it has not renewed it for its duration. */
  #isFree({ metadata, spec }: LeaseObject): boolean {
    const { clock, earlier } = this.#options;
    const now = clock.monotonic();
    if (this.#seen?.version !== metadata.resourceVersion)
      this.#seen = { version: metadata.resourceVersion, since: now };
    const holder = spec?.holderIdentity ?? '';
    if (holder === '') return true;
    if (this.#isFirstLook && earlier !== undefined && holder.startsWith(earlier)) return true;
    return now - this.#seen.since >= this.#times.durationMs;
  }

  /** Somebody else has it, or had it last. */
  #see(lease: LeaseObject): void {
    const { annotations = {} } = lease.metadata;
    const identity = lease.spec?.holderIdentity ?? '';
    this.#holder = identity === '' ? undefined : { identity, term: termOf(lease), annotations };
    this.#state = 'waiting';
    this.#lose();
  }

  /** What follows from a term has ended before the next one is begun, also where that is our own. */
  #lose(): void {
    if (this.#state === 'held') this.#state = 'waiting';
    this.#own = undefined;
    this.#tell();
  }

  #took(asked: number, written: Result<LeaseObject, ApiFailure>): boolean {
    this.#own = written.ok ? written.value : undefined;
    if (written.ok) {
      this.#renewed = asked;
      this.#state = 'held';
      this.#isRefused = false;
      this.#holder = undefined;
      this.#term = termOf(written.value);
      return true;
    }
    // 409: it has changed, which the next look tells.
    this.#doWithoutIf(written);
    return false;
  }

  #doWithoutIf(answer: Result<unknown, ApiFailure>): void {
    if (!isStatus(answer, 403)) return;
    const { withoutRight, log } = this.#options;
    const [failure] = answer.ok ? [] : answer.errors;
    if (!this.#isRefused) log(withoutRight.level, withoutRight.message, { message: failure?.message });
    this.#isRefused = true;
    this.#state = 'without';
  }

  #write(lease: LeaseObject | undefined, signal: AbortSignal): Promise<Result<LeaseObject, ApiFailure>> {
    const { name, clock, annotations } = this.#options;
    const isOurs = lease !== undefined && this.#isOurs(lease);
    const transitions = lease === undefined ? 0 : (lease.spec?.leaseTransitions ?? 0) + (isOurs ? 0 : 1);
    const before = Math.max(this.#term, lease === undefined ? 0 : termOf(lease));
    // Higher than any before, also where the Lease was deleted.
    const term = isOurs ? termOf(lease) : Math.max(before + 1, clock.now());
    const metadata = {
      ...lease?.metadata,
      name,
      annotations: { ...lease?.metadata.annotations, ...annotations, [TERM]: String(term) },
    };
    return this.#leases.write({ metadata, spec: this.#spec(transitions) }, signal);
  }

  #spec(leaseTransitions: number): LeaseSpec {
    const { clock, identity } = this.#options;
    const leaseDurationSeconds = Math.max(1, Math.round(this.#times.durationMs / 1000));
    return { holderIdentity: identity, leaseDurationSeconds, renewTime: microTime(clock.now()), leaseTransitions };
  }

  /** So that the next one need not wait. */
  async #giveUp(): Promise<void> {
    if (this.#state !== 'held') return;
    this.#state = 'waiting';
    this.#own = undefined;
    const never = new AbortController().signal;
    const found = await this.#leases.get(this.#options.name, never);
    if (!found.ok || !this.#isOurs(found.value)) return;
    const { metadata, spec } = found.value;
    const given = { ...this.#spec(spec?.leaseTransitions ?? 0), holderIdentity: '' };
    await this.#leases.write({ metadata, spec: given }, never);
  }
}

/** A time as Leases have it. */
export function microTime(now: number): string {
  return new Date(now).toISOString().replace('Z', '000Z');
}

function termOf({ metadata }: LeaseObject): number {
  return Number(metadata.annotations?.[TERM] ?? 0);
}
