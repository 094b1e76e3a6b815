import type { Model } from '../model/model.ts';
import type { ServiceName } from '../model/service.ts';
import { type MeanWork, retryAfter, stepMeanWork } from '../slots/retry-after.ts';

/** How long a new pace is gathered before those who are refused are told of it. */
const PACE_MS = 2_000;

/** What the pace is followed with. */
export interface WorkPaceOptions {
  /** Calls back after so many milliseconds, unless everything has stopped by then. */
  readonly later: (ms: number, callback: () => void) => void;
  /** What is in force. */
  readonly model: () => Model | undefined;
  /** Those who are refused should be told something new. */
  readonly onNews: () => void;
}

/** How long the requests of each service keep a pod busy, and when that is worth telling. */
export class WorkPace {
  readonly #options: WorkPaceOptions;
  readonly #work = new Map<ServiceName, MeanWork>();
  #due = false;

  constructor(options: WorkPaceOptions) {
    this.#options = options;
  }

  /** Services of which nothing is known are not there. */
  get meanWork(): ReadonlyMap<ServiceName, MeanWork> {
    return this.#work;
  }

  /** A pod has worked on a request of this service for so many milliseconds. */
  worked(service: ServiceName, ms: number): void {
    this.#work.set(service, stepMeanWork(this.#work.get(service), ms));
    if (this.#due) return;
    this.#due = true;
    this.#options.later(PACE_MS, () => {
      this.#due = false;
      if (this.#isNews()) this.#options.onNews();
    });
  }

  #isNews(): boolean {
    return (this.#options.model()?.services ?? []).some(({ service, gate, retryAfter: before }) => {
      return retryAfter(service, gate, { work: this.#work.get(service.name), before }) !== (before ?? 1);
    });
  }
}
