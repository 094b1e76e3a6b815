import type { Quantiles } from './durations.ts';

/** Five seconds of a service. */
export interface Sample {
  /** Their end, in milliseconds since the epoch. */
  readonly at: number;
  /** Requests at pods at their end; undefined: not known. */
  readonly inUse: number | undefined;
  /** Requests that wait at their end; undefined: not known. */
  readonly waiting: number | undefined;
  /** Requests that came to an end, those refused or abandoned not counted. */
  readonly ended: number;
  readonly refused: number;
  /** Of the requests that came to an end; undefined: there was none. */
  readonly waitMs: Quantiles | undefined;
}

/** 15 minutes. */
const SAMPLES = 180;

/** The last 15 minutes of every service. */
export class TrafficHistory {
  readonly #services = new Map<string, Sample[]>();

  /** Adds the newest sample. */
  add(service: string, sample: Sample): void {
    const samples = this.#services.get(service);
    if (samples === undefined) {
      this.#services.set(service, [sample]);
      return;
    }
    samples.push(sample);
    if (samples.length > SAMPLES) samples.shift();
  }

  /** Oldest first. */
  of(service: string): readonly Sample[] {
    return this.#services.get(service) ?? [];
  }

  /** Forgets all others. */
  keep(names: ReadonlySet<string>): void {
    for (const name of this.#services.keys()) if (!names.has(name)) this.#services.delete(name);
  }
}
