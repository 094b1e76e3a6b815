// The seam between who decides what this Sluice is among several (alone, an option, a Lease) and `Sharing`, which acts by it:
//
// - `Sharing.coordinate(coordination)` may be called at any time, also before anybody is connected. `follows` opens a relayed stream to
//   the coordinator for each filter that is connected here; `coordinates` begins with `register.read()`, and waits for all that are in it.
// - `Sharing` calls `register.add` for each filter that says hello, waits until that is durable, and only then tells it a term (or, in a
//   following Sluice, opens the relayed stream). Where it rejects, the filter is told no term, and `add` is called again a second later.
// - The coordinator's wish for a proof (its effect `prove`) becomes a call of `prove`; after `true` the slots that were missing are made.
//   While nobody can be asked it is called again every second.
// - `Sharing.died(keys, why)` tells that members have ended for good, by whatever proves that. It buries them in the register.
// - Terms come from whoever elects; those of a Sluice alone from `takeTerm`. A filter refuses a lower term than it has seen, so all terms
//   of one set of Envoys grow, whoever takes them: milliseconds since the epoch, or the last one plus one.
import type { RegisteredMember } from './register.ts';

/**
 * What this Sluice is for the slots that several share. It may become another at any time (`Sharing.coordinate`):
 *
 * - Filters that were told the term of a coordinator on their stream lose that stream, and come back with a hello, which is the truth.
 * - Meanwhile, and as long as nobody coordinates, filters go on with the slots that they hold. One that does not share yet is told to,
 *   with term 0, before it is told any pods: no slot is its own then.
 */
export type Coordination =
  /** There is no other Sluice. It says nothing of slots as long as there is one Envoy, and then coordinates, with a term taken here. */
  | { readonly kind: 'alone'; readonly takeTerm: (now: number) => number }
  /**
   * It has won this term at a Lease. Every filter shares from its first moment; one that has no others beside it is told that it is
   * alone.
   */
  | { readonly kind: 'coordinates'; readonly term: number; readonly prove: Prove }
  /** Another one coordinates, at this address (`host:port`): the streams of the filters here are relayed there. */
  | { readonly kind: 'follows'; readonly address: string }
  /**
   * Nobody is known to coordinate, or it is not known who. `followed`: an earlier start followed the Sluice at this address, whose
   * Envoys may have slots, and this one is not told to. `unreadable`: what an earlier start has kept cannot be read.
   */
  | { readonly kind: 'unknown'; readonly followed?: string; readonly unreadable?: Unreadable };

/** What an earlier start has kept of who may have slots cannot be read. */
export interface Unreadable {
  /** The file. */
  readonly what: string;
  readonly reason: string;
  /**
   * Begins anew, as a filter that comes shows that nothing is lost: it has the slots of the pods that an earlier start gave it alone, so nobody else has
   * any.
   */
  readonly begin: () => Coordination;
}

/**
 * Writes to the Lease (rule 3c). True: it was ours with this term when the write arrived. False: it is not any more; another
 * `Coordination` follows soon. Rejects: nobody could be asked; it is called again.
 */
export type Prove = () => Promise<boolean>;

/**
 * Durable, and when. Undefined: it is, now. A promise: not before it resolves, and nothing follows from it until then; it rejects,
 * with a reason in words, when it could not be written: whoever wants it tries again.
 */
export type Durable = Promise<void> | undefined;

/** A filter that asks to be counted. */
export interface Registration extends RegisteredMember {
  /** The Sluice that relays its stream, as it calls itself; undefined: it is connected here. */
  readonly via: string | undefined;
}

/**
 * Who may hold slots, and who is dead for good. It outlives this process: a coordinator that is started anew, or takes over, has to
 * know whom to wait for (rules 2, 8, 9).
 *
 * Order, of which nothing may be reversed: a filter is added, then the term is read and told, then it says what it holds. A term is won,
 * then all is read (`read`), then slots are made.
 */
export interface Register {
  /** As they are known here now. */
  readonly members: readonly RegisteredMember[];
  /** Keys (`keyOf`) of those that are dead. */
  readonly dead: readonly string[];
  /** Whether something was kept by an earlier start, or by others. */
  readonly wasKept: boolean;
  /** Whether anything is kept for the next start. */
  readonly isKept: boolean;
  has(key: string): boolean;
  isDead(key: string): boolean;
  /**
   * It may hold slots from now on. Asked with each hello, before it is told to share, so mostly for one that is there already.
   * At a following Sluice before it connects to the coordinator, and at the coordinator (`via`) once more: there a register that
   * each Sluice writes itself looks whether it is in it.
   */
  add(member: Registration): Durable;
  /** These are dead for good. Their slots are made again once that is durable. */
  bury(keys: readonly string[]): Durable;
  /** `members` and `dead` are as they are after this call. Asked after a term was won. */
  read(): Durable;
}
