import type { Clock } from '../base/clock.ts';

/** What a stream that says it is a certain Envoy gets: everything, nothing yet, or all but services with a limit. */
export type Seat = 'holds' | 'waits' | 'second';

/** What `Seats` works with. */
export interface SeatsOptions {
  readonly clock: Clock;
  /** Makes the client of a stream say something if it is alive; false: it cannot be asked. */
  readonly ask: (stream: number) => boolean;
  /** Ends a stream whose client says nothing. */
  readonly drop: (stream: number, reason: string) => void;
  /** Told when streams have other seats than before, but for those that are just opened or closed. */
  readonly changed: () => void;
}

/** An Envoy that is alive answers in milliseconds. */
const PATIENCE_MS = 5000;

/**
 * Which of the streams with one node id is the Envoy's. An Envoy has one stream for clusters and opens the next when that
 * has ended. Two at a time are an Envoy that has lost its connection without the server's having noticed, or two Envoys.
 * Nothing in what they say tells these apart, so the older one is asked: if it answers, they are two.
 */
export class Seats {
  readonly #options: SeatsOptions;
  /** In the order in which they were opened. */
  readonly #seats = new Map<number, Seat>();
  /** Whose clients had services with a limit when they came. */
  readonly #claims = new Set<number>();
  #asked: number | undefined;
  #cancel: () => void = () => {};

  constructor(options: SeatsOptions) {
    this.#options = options;
  }

  /** How many streams are of other Envoys with the same node id. */
  get seconds(): number {
    return [...this.#seats.values()].filter((seat) => seat === 'second').length;
  }

  /** The seat of a stream; one of another service goes with the Envoy's own. */
  seat(stream: number | undefined): Seat {
    return (stream === undefined ? undefined : this.#seats.get(stream)) ?? 'holds';
  }

  opened(stream: number): void {
    const holder = this.#holder();
    this.#seats.set(stream, holder === undefined ? 'holds' : 'waits');
    if (holder !== undefined) this.#ask(holder);
  }

  /**
   * The client of a stream has services with a limit, from a control plane before this one. It goes before one that has
   * none and was a moment earlier: its requests still run.
   */
  claimed(stream: number): void {
    this.#claims.add(stream);
    const holder = this.#holder();
    if (holder === undefined || this.#claims.has(holder) || this.#seats.get(stream) !== 'waits') return;
    this.stop();
    this.#seats.set(stream, 'holds').set(holder, 'waits');
    this.#ask(stream);
    this.#options.changed();
  }

  /** The client of a stream has answered something. */
  heard(stream: number): void {
    if (stream === this.#asked) this.#areTwo();
  }

  closed(stream: number): void {
    const seat = this.#seats.get(stream);
    this.#seats.delete(stream);
    this.#claims.delete(stream);
    if (seat !== 'holds') return;
    this.stop();
    const [next] = this.#seats.keys();
    if (next === undefined) return;
    this.#seats.set(next, 'holds');
    if ([...this.#seats.values()].includes('waits')) this.#ask(next);
    this.#options.changed();
  }

  /** Ends all waiting. */
  stop(): void {
    this.#cancel();
    this.#asked = undefined;
  }

  #holder(): number | undefined {
    return [...this.#seats].find(([, seat]) => seat === 'holds')?.[0];
  }

  #ask(holder: number): void {
    if (this.#asked === holder) return;
    const { clock, ask, drop } = this.#options;
    this.#asked = holder;
    if (!ask(holder)) {
      this.#areTwo();
      return;
    }
    const reason = 'its client answers nothing, and another connection has its node id';
    this.#cancel = clock.after(PATIENCE_MS, () => drop(holder, reason));
  }

  #areTwo(): void {
    this.stop();
    for (const [stream, seat] of this.#seats) if (seat === 'waits') this.#seats.set(stream, 'second');
    this.#options.changed();
  }
}
