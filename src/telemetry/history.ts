/** Five seconds of a service. */
export interface Sample {
  /** Their end, in milliseconds since the epoch. */
  readonly at: number;
  /** At their end; undefined: not known. */
  readonly inUse: number | undefined;
  readonly waiting: number | undefined;
  /** The most at a time within them; undefined: not known. */
  readonly mostInUse: number | undefined;
  readonly mostWaiting: number | undefined;
  /** Slots that there were at their end. */
  readonly slots: number | undefined;
  /** Requests that came; that ended, refused and abandoned ones not counted; that were refused; that failed. */
  readonly arrived: number;
  readonly ended: number;
  readonly refused: number;
  readonly failed: number;
  /** Of those that got a slot within them; undefined: none did. */
  readonly waitP50: number | undefined;
  readonly waitP99: number | undefined;
  /** Of those that a pod ended within them; undefined: there was none. */
  readonly workP50: number | undefined;
  readonly workP99: number | undefined;
}

/** In the order in which they are kept. */
const FIELDS = [
  'inUse',
  'waiting',
  'mostInUse',
  'mostWaiting',
  'slots',
  'arrived',
  'ended',
  'refused',
  'failed',
  'waitP50',
  'waitP99',
  'workP50',
  'workP99',
] as const satisfies readonly (keyof Sample)[];

/** How long a sample is. */
export const SLICE_MS = 5000;

/** 15 minutes. */
const SAMPLES = 180;

/** The last 15 minutes of every service, as numbers in a row: with objects 5,000 services took 200 MB. */
export class History {
  readonly #times: number[] = [];
  /** By service, `SAMPLES` rows; the newest sample is at `#next - 1`. NaN: not known. */
  readonly #services = new Map<string, Float32Array>();
  #next = 0;

  /** Adds the newest sample of every service; those that are not there are forgotten. */
  add(at: number, samples: ReadonlyMap<string, Omit<Sample, 'at'>>): void {
    for (const name of this.#services.keys()) if (!samples.has(name)) this.#services.delete(name);
    const place = this.#next;
    for (const [name, sample] of samples) {
      let rows = this.#services.get(name);
      if (rows === undefined) {
        rows = new Float32Array(SAMPLES * FIELDS.length).fill(Number.NaN);
        this.#services.set(name, rows);
      }
      for (const [index, field] of FIELDS.entries()) rows[place * FIELDS.length + index] = sample[field] ?? Number.NaN;
    }
    this.#times[place] = at;
    this.#next = (place + 1) % SAMPLES;
  }

  /** Oldest first, from when the service was there; empty: there is none of that name. */
  of(service: string): readonly Sample[] {
    const rows = this.#services.get(service);
    if (rows === undefined) return [];
    const first = this.#times.length < SAMPLES ? 0 : this.#next;
    const places = this.#times.map((_, index) => (first + index) % SAMPLES);
    return places.flatMap((place) => {
      const at = this.#times[place];
      const row = rows.subarray(place * FIELDS.length, (place + 1) * FIELDS.length);
      return at === undefined || row.every(Number.isNaN) ? [] : [sampleOf(at, row)];
    });
  }
}

function sampleOf(at: number, row: Float32Array): Sample {
  const known = (field: (typeof FIELDS)[number]) => {
    const value = row[FIELDS.indexOf(field)] ?? Number.NaN;
    return Number.isNaN(value) ? undefined : value;
  };
  return {
    at,
    inUse: known('inUse'),
    waiting: known('waiting'),
    mostInUse: known('mostInUse'),
    mostWaiting: known('mostWaiting'),
    slots: known('slots'),
    arrived: known('arrived') ?? 0,
    ended: known('ended') ?? 0,
    refused: known('refused') ?? 0,
    failed: known('failed') ?? 0,
    waitP50: known('waitP50'),
    waitP99: known('waitP99'),
    workP50: known('workP50'),
    workP99: known('workP99'),
  };
}
