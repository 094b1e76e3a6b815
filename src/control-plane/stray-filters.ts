import type { Clock } from '../base/clock.ts';
import { Timers } from '../base/timers.ts';

/** What `StrayFilters` works with. */
export interface StrayFiltersOptions {
  readonly clock: Clock;
  /** Whether an Envoy gets its configuration here. */
  readonly isConnected: (node: string) => boolean;
  /** Ends the streams of an Envoy's filters: they come back with others, on other connections. */
  readonly drop: (node: string, reason: string) => void;
}

/** Envoy opens the stream for its configuration at least every second while it has none. */
const PATIENCE_MS = 3000;

/**
 * Filters whose Envoy gets its configuration from another Sluice, as with one name for two of them: each connection comes to either.
 * Who gives an Envoy its configuration has to tell its filter of the pods in it, so the filter is sent away until it comes there.
 */
export class StrayFilters {
  readonly #options: StrayFiltersOptions;
  readonly #timers: Timers;
  /** Of which it will be looked whether they are there. */
  readonly #suspects = new Set<string>();

  constructor(options: StrayFiltersOptions) {
    this.#options = options;
    this.#timers = new Timers(options.clock);
  }

  /** The filter of an Envoy has come, or its Envoy has gone. */
  suspect(node: string): void {
    if (this.#isHere(node) || this.#suspects.has(node)) return;
    this.#suspects.add(node);
    this.#timers.after(PATIENCE_MS, () => {
      this.#suspects.delete(node);
      if (!this.#isHere(node))
        this.#options.drop(node, 'its Envoy has no connection to this Sluice: it may have one to another');
    });
  }

  /** Ends all waiting. */
  stop(): void {
    this.#timers.stop();
  }

  #isHere(node: string): boolean {
    return this.#options.isConnected(node);
  }
}
