import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { Clock } from '../base/clock.ts';
import { fail, ok, type Result } from '../base/result.ts';
import type { ApiFailure } from '../kubernetes/api.ts';
import { microTime } from '../kubernetes/lease.ts';
import { type LeaseObject, LeaseObjects } from '../kubernetes/lease-objects.ts';
import { isStatus, type NamespacedApi, named, OwnNamespace } from '../kubernetes/own-namespace.ts';
import { keyOf, type RegisteredMember } from '../slots/register.ts';

/** What the register works with. */
export interface MemberLeasesOptions {
  readonly api: NamespacedApi;
  readonly clock: Clock;
  /** The Lease of the coordinator: those of the members have its name as a label, and as the beginning of their own. */
  readonly lease: string;
  /** The Pod that Sluice runs in, and the node id of the Envoy beside it. */
  readonly pod: string;
}

/** Who may hold slots, as the Leases say. */
export interface Membership {
  readonly members: readonly RegisteredMember[];
  /** Those that are dead for good, by key. */
  readonly dead: readonly string[];
}

/** What came of a registration: `refused`: that filter, or the Pod that it is in, counts as dead. */
export type Registration = { readonly kind: 'registered' | 'refused' } | { readonly kind: 'failed'; why: string };

const PODS = { group: '/api/v1', plural: 'pods' };
const LABEL = 'sluice.dev/coordinator';
const NODE = 'sluice.dev/node';
const MEMBERS = 'sluice.dev/members';
const DEAD = 'sluice.dev/dead';

/** So many that are dead are remembered for each Envoy: messages of them may still be on their way. */
const MOST_DEAD = 200;

/** So often is tried to write what somebody else has just written. */
const MOST_TRIES = 8;

const members = z.array(z.object({ epoch: z.string(), process: z.string() }));
const epochs = z.array(z.string());

/** What a Pod says of its containers. */
interface PodObject {
  readonly metadata: { readonly uid: string };
  readonly status?: {
    readonly phase?: string;
    readonly containerStatuses?: readonly { readonly state?: { readonly terminated?: object } }[];
  };
}

/** The Lease of one Envoy. */
interface NodeLease {
  readonly lease: LeaseObject;
  readonly node: string;
  readonly members: readonly RegisteredMember[];
  /** Epochs. */
  readonly dead: readonly string[];
  /** The Pod that it goes with; undefined: that Envoy is in no Pod that is known. */
  readonly pod: { readonly name: string; readonly uid: string } | undefined;
}

/**
 * Who may hold slots, kept in a Lease for each Envoy: whoever becomes the coordinator has to know whom to wait for. Each Sluice
 * writes those of the Envoys that are connected to it, before they are given any slot; the coordinator writes who is dead.
 */
export class MemberLeases {
  readonly #options: MemberLeasesOptions;
  readonly #leases: LeaseObjects;
  readonly #own: OwnNamespace;
  /** The Pod of each Envoy, as its Lease said last: it may go before somebody looks. */
  readonly #pods = new Map<string, NonNullable<NodeLease['pod']>>();
  /** One change of a Lease at a time. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: MemberLeasesOptions) {
    this.#options = options;
    this.#leases = new LeaseObjects(options);
    this.#own = new OwnNamespace(options);
  }

  /** Writes that these filters of one Envoy may hold slots. */
  register(node: string, added: readonly RegisteredMember[], signal: AbortSignal): Promise<Registration> {
    return this.#inTurn(async () => {
      for (let tries = 0; tries < MOST_TRIES; tries++) {
        const found = await this.#leases.get(this.#name(node), signal);
        if (!found.ok && !isStatus(found, 404)) return failed(found);
        const read = found.ok ? asNodeLease(found.value) : ok(undefined);
        if (!read.ok) return failed(read);
        const before = read.value;
        const owner = await this.#owner(node, before, signal);
        if (!owner.ok) return failed(owner);
        if (owner.value === 'gone') return { kind: 'refused' };
        if (owner.value !== undefined) this.#pods.set(node, owner.value);
        // That of a Pod before, which had the same name and is gone.
        const isOlder = before !== undefined && before.pod?.uid !== owner.value?.uid;
        const known = isOlder ? undefined : before;
        if (added.some(({ epoch }) => known?.dead.includes(epoch))) return { kind: 'refused' };
        const all = merged(known?.members ?? [], added);
        if (known !== undefined && all.length === known.members.length) return { kind: 'registered' };
        const written = await this.#write(
          { node, members: all, dead: known?.dead ?? [], pod: owner.value },
          before,
          signal,
        );
        if (written.ok) return { kind: 'registered' };
        if (!isStatus(written, 409)) return failed(written);
      }
      return { kind: 'failed', why: 'others write the same Lease all the time' };
    });
  }

  /** All who may hold slots, as the API server has it now. */
  async read(signal: AbortSignal): Promise<Result<Membership, ApiFailure>> {
    const listed = await this.#list(signal);
    return listed.ok ? ok(membershipIn(listed.value)) : listed;
  }

  /** What the Lease of one Envoy says; undefined: that is not known. */
  async of(node: string, signal: AbortSignal): Promise<Membership | undefined> {
    const found = await this.#leases.get(this.#name(node), signal);
    if (isStatus(found, 404)) return { members: [], dead: [] };
    const read = found.ok ? asNodeLease(found.value) : found;
    return read.ok ? membershipIn([read.value]) : undefined;
  }

  /** Writes that these are dead for good. */
  async bury(dead: readonly RegisteredMember[], signal: AbortSignal): Promise<boolean> {
    const byNode = Map.groupBy(dead, ({ node }) => node);
    const written = await Promise.all(
      [...byNode].map(([node, each]) => this.#buryOf(node, new Set(each.map(({ epoch }) => epoch)), signal)),
    );
    return written.every((one) => one);
  }

  /**
   * Which of these Envoys have ended for good: their Pod is gone, or its containers have all ended and are not started again. What
   * cannot be read says nothing. The Leases of Pods that are gone are deleted.
   */
  async ended(nodes: ReadonlySet<string>, signal: AbortSignal): Promise<ReadonlySet<string>> {
    const ended = new Set<string>();
    for (const node of nodes) {
      const known = this.#pods.get(node);
      if (known === undefined) continue;
      const pod = await this.#pod(known.name, signal);
      if (!pod.ok) continue;
      const isGone = pod.value?.metadata.uid !== known.uid;
      if (isGone || hasEnded(pod.value)) ended.add(node);
      // The garbage collector does the same a moment later.
      if (isGone) await this.#removeOf(node, known.uid, signal);
    }
    return ended;
  }

  async #removeOf(node: string, uid: string, signal: AbortSignal): Promise<void> {
    const found = await this.#leases.get(this.#name(node), signal);
    const isOf = found.ok && found.value.metadata.ownerReferences?.some((owner) => owner.uid === uid);
    if (found.ok && isOf) await this.#leases.remove(found.value, signal);
  }

  #buryOf(node: string, dead: ReadonlySet<string>, signal: AbortSignal): Promise<boolean> {
    return this.#inTurn(async () => {
      for (let tries = 0; tries < MOST_TRIES; tries++) {
        const found = await this.#leases.get(this.#name(node), signal);
        // It went with its Pod.
        if (!found.ok) return isStatus(found, 404);
        const read = asNodeLease(found.value);
        if (!read.ok) return false;
        const before = read.value;
        if ([...dead].every((epoch) => before.dead.includes(epoch))) return true;
        const written = await this.#write(
          {
            ...before,
            members: before.members.filter(({ epoch }) => !dead.has(epoch)),
            dead: [...new Set([...before.dead, ...dead])].slice(-MOST_DEAD),
          },
          before,
          signal,
        );
        if (written.ok) return true;
        if (!isStatus(written, 409)) return false;
      }
      return false;
    });
  }

  async #list(signal: AbortSignal): Promise<Result<readonly NodeLease[], ApiFailure>> {
    const listed = await this.#leases.list(LABEL, this.#options.lease, signal);
    if (!listed.ok) return listed;
    const read = listed.value.map(asNodeLease);
    const errors = read.flatMap((one) => (one.ok ? [] : one.errors));
    // One that cannot be read may be of somebody who has slots.
    if (errors.length > 0) return fail(...errors);
    const all = read.flatMap((one) => (one.ok ? [one.value] : []));
    for (const { node, pod } of all) if (pod !== undefined) this.#pods.set(node, pod);
    return ok(all);
  }

  /** The Pod that the Lease of a node is to go with; `gone`: it should, and is not there any more. */
  async #owner(
    node: string,
    before: NodeLease | undefined,
    signal: AbortSignal,
  ): Promise<Result<NodeLease['pod'] | 'gone', ApiFailure>> {
    if (node !== this.#options.pod) return ok(before?.pod);
    const pod = await this.#pod(node, signal);
    if (!pod.ok) return pod;
    return ok(pod.value === undefined ? 'gone' : { name: node, uid: pod.value.metadata.uid });
  }

  /** Undefined: there is none of this name. */
  async #pod(name: string, signal: AbortSignal): Promise<Result<PodObject | undefined, ApiFailure>> {
    const answer = await this.#own.get(PODS, named(name), signal);
    if (!answer.ok) return isStatus(answer, 404) ? ok(undefined) : answer;
    // An API server answers with the type that was asked for.
    return ok(answer.value as PodObject);
  }

  #write(
    { node, members: all, dead, pod }: Omit<NodeLease, 'lease'>,
    before: NodeLease | undefined,
    signal: AbortSignal,
  ): Promise<Result<LeaseObject, ApiFailure>> {
    const { lease, clock } = this.#options;
    const owner =
      pod === undefined ? {} : { ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: pod.name, uid: pod.uid }] };
    const metadata = {
      ...before?.lease.metadata,
      name: this.#name(node),
      labels: { ...before?.lease.metadata.labels, [LABEL]: lease },
      annotations: {
        ...before?.lease.metadata.annotations,
        [NODE]: node,
        [MEMBERS]: JSON.stringify(all.map(({ epoch, process }) => ({ epoch, process }))),
        [DEAD]: JSON.stringify(dead),
      },
      ...owner,
    };
    // What a Lease has names for: who it is about, and when that was written.
    const spec = { holderIdentity: pod?.name ?? node, renewTime: microTime(clock.now()) };
    return this.#leases.write({ metadata, spec }, signal);
  }

  /** A name that an object may have. */
  #name(node: string): string {
    const { lease } = this.#options;
    const isName = /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(node) && node.length <= 180;
    return `${lease}.${isName ? node : createHash('sha256').update(node).digest('hex').slice(0, 16)}`;
  }

  #inTurn<T>(step: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(step);
    this.#turn = turn;
    return turn;
  }
}

/** The kubelet says that a Pod is over once none of its containers runs, and none will be started. */
function hasEnded(pod: PodObject | undefined): boolean {
  const { phase, containerStatuses = [] } = pod?.status ?? {};
  if (phase !== 'Failed' && phase !== 'Succeeded') return false;
  return containerStatuses.length > 0 && containerStatuses.every(({ state }) => state?.terminated !== undefined);
}

function membershipIn(leases: readonly NodeLease[]): Membership {
  return {
    members: leases.flatMap((each) => each.members),
    dead: leases.flatMap(({ node, dead }) => dead.map((epoch) => keyOf({ node, epoch }))),
  };
}

function merged(known: readonly RegisteredMember[], added: readonly RegisteredMember[]): readonly RegisteredMember[] {
  return [...new Map([...known, ...added].map((each) => [each.epoch, each])).values()];
}

function asNodeLease(lease: LeaseObject): Result<NodeLease, ApiFailure> {
  const { annotations = {}, ownerReferences = [], name } = lease.metadata;
  const node = annotations[NODE];
  const owner = ownerReferences.find(({ kind }) => kind === 'Pod');
  try {
    return ok({
      lease,
      node: z.string().parse(node),
      members: members.parse(JSON.parse(annotations[MEMBERS] ?? '')).map((each) => ({ node: node ?? '', ...each })),
      dead: epochs.parse(JSON.parse(annotations[DEAD] ?? '')),
      pod: owner === undefined ? undefined : { name: owner.name, uid: owner.uid },
    });
  } catch {
    const message = `the annotations of the Lease ${name} are not as Sluice writes them; delete it once the Envoy that it is of has ended`;
    return fail({ kind: 'malformed', message });
  }
}

function failed({ errors }: { readonly errors: readonly ApiFailure[] }): Registration {
  return { kind: 'failed', why: errors.map(({ message }) => message).join(', ') };
}
