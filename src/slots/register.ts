import { z } from 'zod';
import { reasonOf } from '../base/reason.ts';
import type { Register } from './coordination.ts';

/** A queue filter that may hold slots. */
export interface RegisteredMember {
  /** The node id of its Envoy. */
  readonly node: string;
  /** This start of its Envoy; `0`: its filter is too old to say. */
  readonly process: string;
  readonly epoch: string;
}

const member = z.object({ node: z.string(), process: z.string(), epoch: z.string() });
const fileSchema = z.object({
  term: z.number(),
  members: z.array(member),
  dead: z.array(z.string()),
  follows: z.string().optional(),
});

/** So many that are dead are remembered: messages of them may still be on their way. */
const MOST_DEAD = 1000;

/** A text that outlives this process. Errors: throws when it cannot be read or written. */
export interface KeptText {
  /** Undefined: there is none yet. */
  read(): string | undefined;
  /** It is there when this returns, all or nothing. */
  write(text: string): void;
  /** Moves what cannot be read out of the way, and keeps it: the next text is not written over it. */
  setAside(): void;
  /** What it is called. */
  readonly name: string;
}

/** What the register works with. */
export interface MemberRegisterOptions {
  /** What is kept of it over a restart; undefined: nothing. */
  readonly kept: KeptText | undefined;
  /** Told why it could not be kept. */
  readonly onFault: (reason: string) => void;
}

/** How a member is called: another life of it is another one. */
export function keyOf({ node, epoch }: Pick<RegisteredMember, 'node' | 'epoch'>): string {
  return `${node}/${epoch}`;
}

/**
 * Who may hold slots, who is dead for good, the term, and which coordinator was followed, kept in a file: a coordinator that is started
 * anew has to know whom to wait for, and who followed another one must not begin to make slots by itself. What is written here must be there before anything follows from it, so it is written at once.
 */
export class MemberRegister implements Register {
  /** Whether there was a file of an earlier start. */
  readonly wasKept: boolean;
  /** Why the file of an earlier start cannot be read: who may have slots is not known. Undefined: it can, or there is none. */
  #unreadable: string | undefined;
  readonly #options: MemberRegisterOptions;
  readonly #members = new Map<string, RegisteredMember>();
  readonly #dead = new Set<string>();
  #term = 0;
  #followed: string | undefined;
  /** The file says another `#followed`. */
  #isUnkept = false;

  constructor(options: MemberRegisterOptions) {
    this.#options = options;
    this.wasKept = this.#read();
  }

  get unreadable(): { readonly what: string; readonly reason: string } | undefined {
    const { kept } = this.#options;
    return this.#unreadable === undefined || kept === undefined
      ? undefined
      : { what: kept.name, reason: this.#unreadable };
  }

  /** Whether anything is kept for the next start. */
  get isKept(): boolean {
    return this.#options.kept !== undefined;
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

  /** The coordinator that this Sluice, or an earlier start of it, followed last; undefined: none. */
  get followed(): string | undefined {
    return this.#followed;
  }

  /** This start follows a coordinator, or none. Kept as soon as a filter comes, or with `settle`. */
  follow(address: string | undefined): void {
    if (address === this.#followed && this.#unreadable === undefined) return;
    this.#followed = address;
    this.#isUnkept = true;
  }

  /** This start has succeeded: what it follows counts for the next one. */
  settle(): void {
    if (this.#isUnkept) this.#keep();
  }

  /** The next term: higher than any before, also where the file was lost. */
  takeTerm(now: number): number {
    this.#term = Math.max(this.#term + 1, Math.floor(now));
    this.#keep();
    return this.#term;
  }

  add({ node, process, epoch }: RegisteredMember): undefined {
    const key = keyOf({ node, epoch });
    if (this.has(key) && !this.#isUnkept) return;
    this.#members.set(key, { node, process, epoch });
    this.#keep();
  }

  /** These are dead for good. */
  bury(keys: readonly string[]): undefined {
    for (const key of keys) {
      this.#members.delete(key);
      this.#dead.add(key);
    }
    for (const key of this.#dead) {
      if (this.#dead.size <= MOST_DEAD) break;
      this.#dead.delete(key);
    }
    if (keys.length > 0) this.#keep();
  }

  /** All that is in the file is known. */
  read(): undefined {}

  #read(): boolean {
    try {
      const text = this.#options.kept?.read();
      if (text === undefined) return false;
      const { term, members, dead, follows } = fileSchema.parse(JSON.parse(text));
      this.#term = term;
      for (const each of members) this.#members.set(keyOf(each), each);
      for (const key of dead) this.#dead.add(key);
      this.#followed = follows;
      return true;
    } catch (error) {
      this.#unreadable = reasonOf(error);
      return false;
    }
  }

  #keep(): void {
    const { kept, onFault } = this.#options;
    try {
      const follows = this.#followed;
      if (this.#unreadable !== undefined && kept !== undefined) {
        onFault(`${kept.name} cannot be read, and is kept beside the new one: ${this.#unreadable}`);
        kept.setAside();
        this.#unreadable = undefined;
      }
      kept?.write(JSON.stringify({ term: this.#term, members: this.members, dead: this.dead, follows }));
      this.#isUnkept = false;
    } catch (error) {
      onFault(`who may hold slots cannot be kept: ${reasonOf(error)}`);
    }
  }
}
