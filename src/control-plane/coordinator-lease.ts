import { randomUUID } from 'node:crypto';
import { type Clock, sleep } from '../base/clock.ts';
import { Lease, type LeaseTimes } from '../kubernetes/lease.ts';
import type { NamespacedApi } from '../kubernetes/own-namespace.ts';
import type { SourceLog } from '../model/source.ts';
import type { Coordination } from '../slots/coordination.ts';
import { keyOf } from '../slots/register.ts';
import type { SharingMember } from '../slots/sharing.ts';
import { LeaseRegister } from './lease-register.ts';
import { MemberLeases } from './member-leases.ts';

/** One of several Sluices, as its options say. */
export interface CoordinatorLeaseChoice {
  /** The Lease's name, in the namespace that Sluice runs in. */
  readonly lease: string;
  /** Where the others reach this Sluice while it coordinates: `10.244.1.7:18002`. */
  readonly address: string;
  /** The Pod that it runs in, which is the node id of the Envoy beside it. */
  readonly pod: string;
}

/** What the election works with. */
export interface CoordinatorLeaseOptions extends CoordinatorLeaseChoice {
  readonly api: NamespacedApi;
  readonly clock: Clock;
  /** Evenly from 0 to 1. */
  readonly random: () => number;
  readonly log: SourceLog;
}

/** Who is told what this Sluice is, and which members have ended. */
export interface Coordinated {
  coordinate(coordination: Coordination): void;
  died(keys: readonly string[], why: string): void;
  state(): { readonly members: readonly Pick<SharingMember, 'node' | 'epoch' | 'awaySince'>[] };
}

/** Another one takes over so soon. Nothing is wrong where one is replaced that only seemed to have ended. */
const TIMES: LeaseTimes = { durationMs: 6000, renewMs: 1500, trustMs: 6000 };

/** How often the Pods of Envoys that are away are looked for. */
const LOOK_MS = 1000;

/** How often is looked whether our Envoys are still in their Leases. */
const KEEP_MS = 10_000;

/** Where the coordinator is reached. */
const ADDRESS = 'sluice.dev/address';

/**
 * Which of several Sluices coordinates: the one that has a Lease. Who may hold slots is in Leases as well; an Envoy has ended for
 * good when its Pod is gone.
 */
export class CoordinatorLease {
  readonly register: LeaseRegister;
  readonly #options: CoordinatorLeaseOptions;
  readonly #lease: Lease;
  readonly #members: MemberLeases;
  readonly #stopping = new AbortController();
  #running: Promise<unknown> = Promise.resolve();
  #told = '';

  constructor(options: CoordinatorLeaseOptions) {
    const { clock, lease: name, pod, address } = options;
    this.#options = options;
    const earlier = `${pod}_`;
    this.#lease = new Lease({
      ...options,
      name,
      identity: `${earlier}${randomUUID()}`,
      times: TIMES,
      annotations: { [ADDRESS]: address },
      earlier,
      withoutRight: {
        isHeld: false,
        level: 'warn',
        message: `without the right to the Lease ${name} no slots are given to Envoys; add it to the Role as in k8s/base`,
      },
    });
    this.#members = new MemberLeases({ api: options.api, clock, lease: name, pod });
    const { signal } = this.#stopping;
    this.register = new LeaseRegister({ leases: this.#members, look: () => this.#lease.look(signal), signal });
  }

  /** Wants to coordinate from now on, until `stop`, and tells what has come of it. */
  start(sharing: Coordinated): void {
    const { signal } = this.#stopping;
    this.#tell(sharing);
    const electing = this.#lease.run(signal, () => this.#tell(sharing));
    this.#running = Promise.all([electing, this.#lookForDead(sharing), this.#keep()]);
  }

  /** The Lease is given up: the next one has it at once. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  #tell(sharing: Coordinated): void {
    const now = this.#coordination();
    const { kind } = now;
    const about = kind === 'coordinates' ? { term: now.term } : kind === 'follows' ? { address: now.address } : {};
    const told = JSON.stringify([kind, about]);
    if (told === this.#told) return;
    this.#told = told;
    sharing.coordinate(now);
  }

  #coordination(): Coordination {
    const { term, holder } = this.#lease;
    if (term !== undefined) return { kind: 'coordinates', term, prove: () => this.#prove(term) };
    const address = holder?.annotations[ADDRESS];
    return address === undefined ? { kind: 'unknown' } : { kind: 'follows', address };
  }

  async #prove(term: number): Promise<boolean> {
    if (await this.#lease.prove(term, this.#stopping.signal)) return true;
    if (this.#lease.term === term) throw new Error('the API server has not taken a write to the Lease');
    return false;
  }

  async #keep(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      await sleep(this.#options.clock, KEEP_MS, signal);
      if (!signal.aborted) await this.register.keep();
    }
  }

  async #lookForDead(sharing: Coordinated): Promise<void> {
    const { clock } = this.#options;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      await sleep(clock, LOOK_MS, signal);
      if (this.#lease.term === undefined) continue;
      const away = sharing.state().members.filter(({ awaySince }) => awaySince !== undefined);
      const ended = await this.#members.ended(new Set(away.map(({ node }) => node)), signal);
      const dead = away.filter(({ node }) => ended.has(node)).map(keyOf);
      if (dead.length > 0 && !signal.aborted) sharing.died(dead, 'their Pod is gone');
    }
  }
}
