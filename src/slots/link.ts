import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import { reasonOf } from '../base/reason.ts';
import { Timers } from '../base/timers.ts';
import {
  LINK_PROTOCOL,
  type LinkMessage,
  readLink,
  type ToldOrder,
  type ToldShares,
  writeLink,
} from './link-messages.ts';
import type { ToldOrders } from './link-server.ts';
import type { RelayCall, RelayDial } from './relay-channel.ts';
import { type RelayFault, silence } from './relay-faults.ts';
import { Rounds } from './rounds.ts';
import { DEFAULT_PACE } from './server.ts';

/** What a link works with. */
export interface LinkOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** Where the coordinator is: `host:port`. */
  readonly address: string;
  readonly dial: RelayDial;
  /** A Lease names it; else an option does. */
  readonly isByLease?: boolean | undefined;
  /** How this Sluice calls itself. */
  readonly name: string;
  readonly orders: ToldOrders;
  /** Told when there is something else to see, or to mend. */
  readonly changed: () => void;
  /** From 0 to 1, to come back at another moment than others. */
  readonly random: () => number;
}

/** Why there is no link. `isRefusal`: the coordinator is there, and does not want it. */
export interface LinkFault extends RelayFault {
  readonly isRefusal: boolean;
  /** Since when, in milliseconds since the epoch. */
  readonly since: number;
}

/** What the coordinator has told of the slots of a service. */
export interface SharesAsTold extends ToldShares {
  /** Since when this may not be so any more, in milliseconds since the epoch; undefined: the coordinator is there. */
  readonly oldSince: number | undefined;
}

/** How long a coordinator may take to answer. */
const OPENING_MS = 3000;

/** The first wait after a failure, and the longest. */
const FIRST_MS = 100;
const LONGEST_MS = 1000;

/**
 * The stream of a following Sluice to its coordinator that is there with or without filters. Over it both tell each other what operators have
 * ordered, and the coordinator tells who holds the slots.
 */
export class Link {
  readonly #options: LinkOptions;
  readonly #timers: Timers;
  readonly #rounds: Rounds;
  readonly #shares = new Map<string, ToldShares>();
  #call: RelayCall | undefined;
  /** The coordinator has said hello on this stream. */
  #isOpen = false;
  #coordinator: string | undefined;
  #fault: LinkFault | undefined;
  #since: number;
  #heartbeatMs = DEFAULT_PACE.heartbeatMs;
  #deadAfterMs = DEFAULT_PACE.deadAfterMs;
  #heardAt = 0;
  #saidAt = 0;
  #tries = 0;
  #isStopped = false;

  constructor(options: LinkOptions) {
    this.#options = options;
    this.#timers = new Timers(options.clock);
    this.#since = options.clock.now();
    this.#rounds = new Rounds({
      clock: options.clock,
      timers: this.#timers,
      pace: DEFAULT_PACE,
      isNeeded: () => !this.#isStopped,
      look: (now, isLate) => this.#look(now, isLate),
    });
    this.#dial();
    this.#rounds.begin();
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Since when it is open, or is not. */
  get since(): number {
    return this.#since;
  }

  /** Why it is not open; undefined: it is, or that is not known yet. */
  get fault(): LinkFault | undefined {
    return this.#fault;
  }

  /** How the coordinator calls itself; undefined: it has not been reached. */
  get coordinator(): string | undefined {
    return this.#coordinator;
  }

  /** Who holds the slots of a service, as it was told last; undefined: it was not. */
  shares(service: string): SharesAsTold | undefined {
    const told = this.#shares.get(service);
    return told && { ...told, oldSince: this.#isOpen ? undefined : this.#since };
  }

  /** Tells the coordinator what was ordered here. False: it is away, and is told when it is back. */
  tell(orders: readonly ToldOrder[]): boolean {
    if (this.#isOpen) this.#write({ kind: 'orders', orders });
    return this.#isOpen;
  }

  stop(): void {
    this.#isStopped = true;
    this.#call?.end();
    this.#call = undefined;
    this.#timers.stop();
  }

  #dial(): void {
    const { clock, address, dial, name } = this.#options;
    this.#heardAt = clock.monotonic();
    const call: RelayCall = dial(address, {
      message: (bytes) => {
        if (this.#call === call) this.#receive(bytes);
      },
      closed: (reason, isRefusal, fix = silence(this.#options).fix) => {
        if (this.#call === call) this.#lost({ reason, fix }, isRefusal);
      },
    });
    this.#call = call;
    this.#write({ kind: 'hello', protocol: LINK_PROTOCOL, sluice: name, heartbeatMs: 0, deadAfterMs: 0 });
  }

  #receive(bytes: Buffer): void {
    const { clock, address, orders, changed } = this.#options;
    this.#heardAt = clock.monotonic();
    let message: LinkMessage;
    try {
      message = readLink(bytes);
    } catch (error) {
      this.#lost({ reason: `not a LinkMessage: ${reasonOf(error)}`, fix: silence(this.#options).fix }, false);
      return;
    }
    switch (message.kind) {
      case 'hello':
        this.#heartbeatMs = message.heartbeatMs;
        this.#deadAfterMs = message.deadAfterMs;
        this.#coordinator = message.sluice;
        this.#opened();
        return;
      case 'orders':
        orders.take(message.orders, this.#coordinator ?? address);
        return;
      case 'shares':
        for (const [service, shares] of message.services)
          if (shares === undefined) this.#shares.delete(service);
          else this.#shares.set(service, shares);
        changed();
        return;
      case 'heartbeat':
      case 'unknown':
        return;
    }
  }

  #opened(): void {
    this.#isOpen = true;
    this.#tries = 0;
    this.#fault = undefined;
    this.#since = this.#options.clock.now();
    // It tells all that it has now.
    this.#shares.clear();
    this.#write({ kind: 'orders', orders: this.#options.orders.all() });
    this.#options.changed();
  }

  #lost({ reason, fix }: RelayFault, isRefusal: boolean): void {
    const { clock, log, address, changed } = this.#options;
    this.#call?.end();
    this.#call = undefined;
    log.debug({ address, reason }, 'the link to the coordinator is over');
    const now = clock.now();
    if (this.#isOpen) this.#since = now;
    this.#isOpen = false;
    this.#fault = { reason, fix, isRefusal, since: this.#fault?.since ?? now };
    changed();
    const full = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(this.#tries++, 10));
    this.#timers.after(full * (0.5 + this.#options.random() / 2), () => this.#dial());
  }

  #write(message: LinkMessage): void {
    this.#saidAt = this.#options.clock.monotonic();
    this.#call?.write(writeLink(message));
  }

  /** Speaks where nothing was said, and gives the stream up where nothing was heard. */
  #look(now: number, isLate: boolean): void {
    if (this.#call === undefined) return;
    if (isLate) this.#heardAt = now;
    if (now - this.#heardAt >= (this.#isOpen ? this.#deadAfterMs : OPENING_MS))
      this.#lost(silence(this.#options), false);
    else if (now - this.#saidAt >= this.#heartbeatMs) this.#write({ kind: 'heartbeat' });
  }
}
