import type { Durable, Register, Registration } from '../slots/coordination.ts';
import { keyOf, type RegisteredMember } from '../slots/register.ts';
import type { MemberLeases, Membership } from './member-leases.ts';

/** What the register works with. */
export interface LeaseRegisterOptions {
  readonly leases: MemberLeases;
  /** Reads the coordinator's Lease anew, and has what it says followed. False: that was not possible. */
  readonly look: () => Promise<boolean>;
  /** Aborted at the end. */
  readonly signal: AbortSignal;
}

/** Filters of one Envoy that are written together. */
interface Batch {
  readonly members: RegisteredMember[];
  readonly written: Promise<void>;
}

/** Who may hold slots, in Leases that all Sluices of a namespace write and read. */
export class LeaseRegister implements Register {
  /** What others have written counts. */
  readonly wasKept = true;
  readonly isKept = true;
  readonly #options: LeaseRegisterOptions;
  readonly #members = new Map<string, RegisteredMember>();
  /** Those of them that this Sluice has written. */
  readonly #own = new Map<string, RegisteredMember>();
  readonly #dead = new Set<string>();
  readonly #batches = new Map<string, Batch>();

  constructor(options: LeaseRegisterOptions) {
    this.#options = options;
  }

  get members(): readonly RegisteredMember[] {
    return [...this.#members.values()];
  }

  get dead(): readonly string[] {
    return [...this.#dead];
  }

  has(key: string): boolean {
    return this.#members.has(key);
  }

  isDead(key: string): boolean {
    return this.#dead.has(key);
  }

  add(member: Registration): Durable {
    if (this.has(keyOf(member))) return undefined;
    return member.via === undefined ? this.#write(member) : this.#find(member);
  }

  async bury(keys: readonly string[]): Promise<void> {
    const { leases, signal } = this.#options;
    const buried = keys.flatMap((key) => this.#members.get(key) ?? []);
    if (!(await leases.bury(buried, signal))) throw new Error('their Leases could not be written');
    for (const key of keys) this.#setDead(key);
  }

  async read(): Promise<void> {
    const before = [...this.#members.keys()];
    const { members, dead } = await this.#membership();
    // Those that have come meanwhile stay: they may be newer than what was read.
    for (const key of before) this.#members.delete(key);
    for (const member of members) this.#members.set(keyOf(member), member);
    for (const key of dead) this.#setDead(key);
  }

  /** Writes those of ours anew that are not in their Lease any more, as somebody has deleted it. */
  async keep(): Promise<void> {
    const { leases, signal } = this.#options;
    for (const [node, own] of Map.groupBy(this.#own.values(), (member) => member.node)) {
      const now = await leases.of(node, signal);
      if (now === undefined) continue;
      for (const key of now.dead) this.#setDead(key);
      const present = new Set(now.members.map(keyOf));
      const lost = own.filter((member) => this.#own.has(keyOf(member)) && !present.has(keyOf(member)));
      if (lost.length > 0) await leases.register(node, lost, signal);
    }
  }

  #setDead(key: string): void {
    this.#members.delete(key);
    this.#own.delete(key);
    this.#dead.add(key);
  }

  /** One of ours, before it is given anything. */
  #write({ node, process, epoch }: RegisteredMember): Promise<void> {
    const member = { node, process, epoch };
    const open = this.#batches.get(node);
    if (open !== undefined) {
      open.members.push(member);
      return open.written;
    }
    const members = [member];
    // Those that come in the same moment go with it: the filters of all workers connect at once.
    const written = Promise.resolve().then(() => {
      this.#batches.delete(node);
      return this.#register(node, members);
    });
    this.#batches.set(node, { members, written });
    return written;
  }

  async #register(node: string, members: readonly RegisteredMember[]): Promise<void> {
    const { leases, look, signal } = this.#options;
    const registered = await leases.register(node, members, signal);
    if (registered.kind === 'failed') throw new Error(registered.why);
    if (registered.kind === 'refused') {
      for (const member of members) this.#setDead(keyOf(member));
      throw new Error('it, or the Pod that it is in, has ended for all others');
    }
    // Register, then read the term: a coordinator that does not know of them has been replaced by then, or is by one that does.
    if (!(await look())) throw new Error("the coordinator's Lease could not be read");
    for (const member of members) {
      this.#members.set(keyOf(member), member);
      this.#own.set(keyOf(member), member);
    }
  }

  /** One whose own Sluice has written it. Others that are not there any more stay: they are dead once that is proven. */
  async #find(member: RegisteredMember): Promise<void> {
    const { members, dead } = await this.#membership();
    const key = keyOf(member);
    if (dead.includes(key)) this.#dead.add(key);
    else if (members.some((each) => keyOf(each) === key)) this.#members.set(key, member);
    if (!this.has(key)) throw new Error('its Sluice has not registered it');
  }

  async #membership(): Promise<Membership> {
    const { leases, signal } = this.#options;
    const read = await leases.read(signal);
    if (!read.ok) throw new Error(read.errors.map(({ message }) => message).join(', '));
    return read.value;
  }
}
