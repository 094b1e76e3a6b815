import type { Clock } from '../base/clock.ts';
import { Timers } from '../base/timers.ts';
import { type OneIn, SAMPLES } from '../dataplane/sampling.ts';

/** What the sample is chosen with. */
export interface LogSamplingOptions {
  readonly clock: Clock;
  /** Another sample is to be told of from now on. */
  readonly onChange: (oneIn: OneIn) => void;
}

/** How often the rate is looked at. */
const LOOK_MS = 1000;
/** An Envoy tells of so many requests a second; of more, a sample. */
const MOST_TOLD = 320;
/** More are told of again when they would be no more than this share of that: rates go up and down. */
const ROOM = 0.7;
/** And when they were no more than that in so many looks. */
const CALM_LOOKS = 3;
/** What is told within so long is told at once, by several logs. */
const AT_ONCE_MS = 100;

/** What an Envoy has told: what it tells at a moment is of the time since it told before. */
interface Told {
  /** When it told first, which says nothing of a rate, and last; monotonic milliseconds. */
  readonly from: number;
  until: number;
  /** Requests that were answered between both. */
  requests: number;
}

/**
 * Chooses of how many requests Envoys tell. An entry costs Envoy some 35 µs and Sluice 10 (run): of few requests each is
 * worth that, while of very many a sample says as much. The Envoy that tells of most decides for all.
 */
export class LogSampling {
  readonly #options: LogSamplingOptions;
  readonly #timers: Timers;
  /** What was told since the last look, by Envoy. */
  readonly #told = new Map<string, Told>();
  /** What the busiest Envoy answered a second, at the last looks. */
  #rates: readonly number[] = [];
  #oneIn: OneIn = 1;
  #isLooking = false;
  #isStopped = false;

  constructor(options: LogSamplingOptions) {
    this.#options = options;
    this.#timers = new Timers(options.clock);
  }

  /** An Envoy has answered so many requests more that may be sampled, told of or not. */
  heard(nodeId: string, requests: number): void {
    if (requests === 0) return;
    const now = this.#options.clock.monotonic();
    const told = this.#told.get(nodeId);
    if (told === undefined) this.#told.set(nodeId, { from: now, until: now, requests: 0 });
    else if (now - told.from > AT_ONCE_MS) {
      told.until = now;
      told.requests += requests;
    }
    this.#look();
  }

  /** Ends all looking. */
  stop(): void {
    this.#isStopped = true;
    this.#timers.stop();
  }

  #look(): void {
    if (this.#isLooking || this.#isStopped) return;
    this.#isLooking = true;
    this.#timers.after(LOOK_MS, () => {
      this.#isLooking = false;
      this.#step(Math.max(0, ...[...this.#told.values()].map(rateOf)));
      for (const [nodeId, { from, until }] of [...this.#told]) {
        // One that tells of nothing any more begins anew when it does again.
        if (until === from) this.#told.delete(nodeId);
        else this.#told.set(nodeId, { from: until, until, requests: 0 });
      }
      // Nobody may tell of anything any more.
      if (this.#oneIn > 1 || this.#told.size > 0) this.#look();
    });
  }

  #step(rate: number): void {
    this.#rates = [...this.#rates, rate].slice(-CALM_LOOKS);
    const highest = Math.max(...this.#rates);
    const [needed, calm] = [sampleFor(highest, MOST_TOLD), sampleFor(highest, MOST_TOLD * ROOM)];
    if (this.#oneIn >= needed && this.#oneIn <= calm) return;
    this.#oneIn = this.#oneIn < needed ? needed : calm;
    this.#options.onChange(this.#oneIn);
  }
}

/** The first that tells of no more than `most` a second; the last where none does. */
function sampleFor(rate: number, most: number): OneIn {
  return SAMPLES.find((oneIn) => rate / oneIn <= most) ?? 64;
}

/** Requests a second. */
function rateOf({ from, until, requests }: Told): number {
  return until === from ? 0 : (requests * 1000) / (until - from);
}
