import { z } from 'zod';
import type { Clock } from '../base/clock.ts';
import { reasonOf } from '../base/reason.ts';
import { NO_OVERRIDES, type Order, type Overrides } from '../model/overrides.ts';
import type { ServiceName } from '../model/service.ts';
import type { ToldOrder } from '../slots/link-messages.ts';
import { KeptFile } from './kept-file.ts';

const order = z.object({ by: z.string(), at: z.number() });
const orders = z.record(z.string(), order);
/** Who took something back is kept as well: another Sluice may not have heard of it. */
const fileSchema = z.object({
  paused: orders,
  drained: orders,
  resumed: orders.optional(),
  undrained: orders.optional(),
});

/** What the store works with. */
export interface OverrideStoreOptions {
  /** Where the orders are kept over a restart; undefined: nowhere. */
  readonly path: string | undefined;
  readonly clock: Clock;
  /** Told of every change. */
  readonly changed: () => void;
  /** Told why the orders could not be read or kept. */
  readonly onFault: (reason: string) => void;
}

/** So many that were taken back are remembered, those of the last time. */
const MOST_TAKEN_BACK = 1000;

/** More orders than these, or longer ones, nobody gives: whoever tells them makes them up. */
const MOST_ORDERS = 10_000;
const LONGEST = 500;

/** A word of another Sluice may be of a clock that is ahead, but not by more than this. */
const AHEAD_MS = 24 * 3_600_000;

/**
 * What operators have ordered, kept in a file. It is small, and an order that was confirmed must be there: written at once. Several Sluices
 * tell each other theirs. Of two words on one service or pod the later one holds, and each is later than what was known of it.
 */
export class OverrideStore {
  readonly #options: OverrideStoreOptions;
  readonly #kept: KeptFile | undefined;
  readonly #orders = new Map<string, ToldOrder>();
  #overrides: Overrides = NO_OVERRIDES;

  constructor(options: OverrideStoreOptions) {
    this.#options = options;
    this.#kept = options.path === undefined ? undefined : new KeptFile(options.path);
    this.#read();
    this.#overrides = this.#inForce();
  }

  /** What is ordered now; another object after every change. */
  current(): Overrides {
    return this.#overrides;
  }

  /** All that is in force, and what was taken back lately. */
  all(): readonly ToldOrder[] {
    return [...this.#orders.values()];
  }

  /** Undefined: it was paused already. */
  pause(service: ServiceName, by: string): ToldOrder | undefined {
    return this.#give('paused', service, by);
  }

  /** Undefined: it was not paused. */
  resume(service: ServiceName, by: string): ToldOrder | undefined {
    return this.#takeBack('paused', service, by);
  }

  /** Undefined: it was drained already. */
  drain(pod: string, by: string): ToldOrder | undefined {
    return this.#give('drained', pod, by);
  }

  /** Undefined: it was not drained. */
  undrain(pod: string, by: string): ToldOrder | undefined {
    return this.#takeBack('drained', pod, by);
  }

  /** Takes what another Sluice knows. What of it is new here, and changes what is in force. */
  take(told: readonly ToldOrder[]): readonly ToldOrder[] {
    const latest = this.#options.clock.now() + AHEAD_MS;
    let isNew = false;
    const changed = told.filter((one) => {
      const known = this.#orders.get(keyOf(one));
      const isSound = one.what.length <= LONGEST && one.by.length <= LONGEST && one.at <= latest;
      if (!isSound || (known === undefined ? this.#orders.size >= MOST_ORDERS : one.at <= known.at)) return false;
      isNew = true;
      const isChange = this.#isInForce(one) === one.isTakenBack;
      this.#orders.set(keyOf(one), one);
      return isChange;
    });
    if (isNew) this.#changed();
    return changed;
  }

  #give(kind: ToldOrder['kind'], what: string, by: string): ToldOrder | undefined {
    return this.#isInForce({ kind, what }) ? undefined : this.#put({ kind, what, by, isTakenBack: false });
  }

  #takeBack(kind: ToldOrder['kind'], what: string, by: string): ToldOrder | undefined {
    return this.#isInForce({ kind, what }) ? this.#put({ kind, what, by, isTakenBack: true }) : undefined;
  }

  #isInForce(one: Pick<ToldOrder, 'kind' | 'what'>): boolean {
    return this.#orders.get(keyOf(one))?.isTakenBack === false;
  }

  #put(one: Omit<ToldOrder, 'at'>): ToldOrder {
    const known = this.#orders.get(keyOf(one));
    const at = Math.max(Math.floor(this.#options.clock.now()), (known?.at ?? 0) + 1);
    const put = { ...one, at };
    this.#orders.set(keyOf(one), put);
    this.#changed();
    return put;
  }

  #changed(): void {
    const back = [...this.#orders].filter(([, { isTakenBack }]) => isTakenBack).sort(([, a], [, b]) => b.at - a.at);
    for (const [key] of back.slice(MOST_TAKEN_BACK)) this.#orders.delete(key);
    this.#overrides = this.#inForce();
    this.#keep();
    this.#options.changed();
  }

  #inForce(): Overrides {
    const of = (kind: ToldOrder['kind']) => this.#listed(kind, false);
    // Names were checked where the orders were given.
    return { paused: new Map(of('paused') as [ServiceName, Order][]), drained: new Map(of('drained')) };
  }

  #listed(kind: ToldOrder['kind'], isTakenBack: boolean): [string, Order][] {
    const found = this.all().filter((one) => one.kind === kind && one.isTakenBack === isTakenBack);
    return found.map(({ what, by, at }) => [what, { by, at }]);
  }

  #read(): void {
    const { path, onFault } = this.#options;
    try {
      const text = this.#kept?.read();
      if (text === undefined) return;
      const { paused, drained, resumed = {}, undrained = {} } = fileSchema.parse(JSON.parse(text));
      const put = (kind: ToldOrder['kind'], isTakenBack: boolean, all: Readonly<Record<string, Order>>) => {
        for (const [what, { by, at }] of Object.entries(all)) {
          const one = { kind, what, isTakenBack, by, at };
          this.#orders.set(keyOf(one), one);
        }
      };
      put('paused', true, resumed);
      put('drained', true, undrained);
      put('paused', false, paused);
      put('drained', false, drained);
    } catch (error) {
      onFault(`${path} cannot be read: ${reasonOf(error)}`);
    }
  }

  #keep(): void {
    const { path, onFault } = this.#options;
    const of = (kind: ToldOrder['kind'], isTakenBack: boolean) => Object.fromEntries(this.#listed(kind, isTakenBack));
    const kept = {
      ...{ paused: of('paused', false), drained: of('drained', false) },
      ...{ resumed: of('paused', true), undrained: of('drained', true) },
    };
    try {
      this.#kept?.write(`${JSON.stringify(kept, null, 2)}\n`);
    } catch (error) {
      onFault(`${path} cannot be written: ${reasonOf(error)}`);
    }
  }
}

function keyOf({ kind, what }: Pick<ToldOrder, 'kind' | 'what'>): string {
  return `${kind} ${what}`;
}
