import { z } from 'zod';
import type { Clock } from '../base/clock.ts';
import { reasonOf } from '../base/reason.ts';
import { NO_OVERRIDES, type Order, type Overrides } from '../model/overrides.ts';
import type { ServiceName } from '../model/service.ts';
import { KeptFile } from './kept-file.ts';

const order = z.object({ by: z.string(), at: z.number() });
const fileSchema = z.object({ paused: z.record(z.string(), order), drained: z.record(z.string(), order) });

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

/** What operators have ordered, kept in a file. It is small, and an order that was confirmed must be there: written at once. */
export class OverrideStore {
  readonly #options: OverrideStoreOptions;
  readonly #kept: KeptFile | undefined;
  #overrides: Overrides;

  constructor(options: OverrideStoreOptions) {
    this.#options = options;
    this.#kept = options.path === undefined ? undefined : new KeptFile(options.path);
    this.#overrides = this.#read();
  }

  /** What is ordered now; another object after every change. */
  current(): Overrides {
    return this.#overrides;
  }

  /** False: it was paused already. */
  pause(service: ServiceName, by: string): boolean {
    const { paused } = this.#overrides;
    if (paused.has(service)) return false;
    this.#set({ ...this.#overrides, paused: new Map([...paused, [service, this.#order(by)]]) });
    return true;
  }

  /** False: it was not paused. */
  resume(service: ServiceName): boolean {
    const paused = new Map(this.#overrides.paused);
    if (!paused.delete(service)) return false;
    this.#set({ ...this.#overrides, paused });
    return true;
  }

  /** False: it was drained already. */
  drain(pod: string, by: string): boolean {
    const { drained } = this.#overrides;
    if (drained.has(pod)) return false;
    this.#set({ ...this.#overrides, drained: new Map([...drained, [pod, this.#order(by)]]) });
    return true;
  }

  /** False: it was not drained. */
  undrain(pod: string): boolean {
    const drained = new Map(this.#overrides.drained);
    if (!drained.delete(pod)) return false;
    this.#set({ ...this.#overrides, drained });
    return true;
  }

  #order(by: string): Order {
    return { by, at: this.#options.clock.now() };
  }

  #set(overrides: Overrides): void {
    this.#overrides = overrides;
    this.#keep();
    this.#options.changed();
  }

  #read(): Overrides {
    const { path, onFault } = this.#options;
    try {
      const text = this.#kept?.read();
      if (text === undefined) return NO_OVERRIDES;
      const { paused, drained } = fileSchema.parse(JSON.parse(text));
      // Names were checked before they were written.
      return {
        paused: new Map(Object.entries(paused) as [ServiceName, Order][]),
        drained: new Map(Object.entries(drained)),
      };
    } catch (error) {
      onFault(`${path} cannot be read: ${reasonOf(error)}`);
      return NO_OVERRIDES;
    }
  }

  #keep(): void {
    const { path, onFault } = this.#options;
    const { paused, drained } = this.#overrides;
    const text = JSON.stringify({ paused: Object.fromEntries(paused), drained: Object.fromEntries(drained) }, null, 2);
    try {
      this.#kept?.write(`${text}\n`);
    } catch (error) {
      onFault(`${path} cannot be written: ${reasonOf(error)}`);
    }
  }
}
