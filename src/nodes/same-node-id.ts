import type { Clock } from '../base/clock.ts';

/** Whose a stream with a certain node id is: that Envoy's, another's, or that is not known yet. */
export type Whose = 'own' | 'unknown' | 'another';

/** What `SameNodeId` works with. */
export interface SameNodeIdOptions {
  readonly clock: Clock;
  /** Makes the client of a stream say something if it is alive; false: it cannot be asked yet. */
  readonly ask: (stream: number) => boolean;
  /** Ends a stream whose client says nothing. */
  readonly drop: (stream: number, reason: string) => void;
  /** Told when it is known of more streams whose they are, or otherwise than before, but for those that are just opened or closed. */
  readonly changed: () => void;
}

/** An Envoy that is alive answers in milliseconds. */
const PATIENCE_MS = 5000;

/** How soon a client is tried to be asked again that has been given nothing yet that it had to answer. */
const AGAIN_MS = 250;

/**
 * Which of the streams with one node id is the Envoy's. An Envoy has one stream for clusters and opens the next when that
 * has ended. Two at a time are an Envoy that has lost its connection without the server's having noticed, or two Envoys.
 * Nothing in what they say tells these apart, so the older one is asked: if it answers, they are two.
 */
export class SameNodeId {
  readonly #options: SameNodeIdOptions;
  /** In the order in which they were opened. */
  readonly #streams = new Map<number, Whose>();
  /** Whose clients had services with a limit when they came. */
  readonly #claims = new Set<number>();
  /** Whose clients are asked, and what ends the wait for each. */
  readonly #asked = new Map<number, () => void>();

  constructor(options: SameNodeIdOptions) {
    this.#options = options;
  }

  /** How many streams are of other Envoys with the same node id. */
  get others(): number {
    return [...this.#streams.values()].filter((whose) => whose === 'another').length;
  }

  /** Whose a stream is; one of another service goes with the Envoy's own. */
  whose(stream: number | undefined): Whose {
    return (stream === undefined ? undefined : this.#streams.get(stream)) ?? 'own';
  }

  /** A stream on which clusters are asked for. */
  opened(stream: number): void {
    const holder = this.#holder();
    this.#streams.set(stream, holder === undefined ? 'own' : 'unknown');
    if (holder !== undefined) this.#ask(holder);
  }

  /**
   * The client of a stream has services with a limit, from a control plane before this one. It goes before one that has
   * none and was a moment earlier: its requests still run. That one is asked all the same, as the older of the two.
   */
  claimed(stream: number): void {
    this.#claims.add(stream);
    const holder = this.#holder();
    if (holder === undefined || this.#claims.has(holder) || this.#streams.get(stream) !== 'unknown') return;
    this.#streams.set(stream, 'own').set(holder, 'unknown');
    if (this.#unknownAfter(stream).length > 0) this.#ask(stream);
    this.#options.changed();
  }

  /** The client of a stream has answered something. */
  heard(stream: number): void {
    const cancel = this.#asked.get(stream);
    if (cancel === undefined) return;
    cancel();
    this.#asked.delete(stream);
    const others = this.whose(stream) === 'own' ? this.#unknownAfter(stream) : [stream];
    for (const other of others) this.#streams.set(other, 'another');
    this.#options.changed();
  }

  closed(stream: number): void {
    const whose = this.#streams.get(stream);
    this.#streams.delete(stream);
    this.#claims.delete(stream);
    this.#asked.get(stream)?.();
    this.#asked.delete(stream);
    if (whose !== 'own') return;
    const [next] = this.#streams.keys();
    if (next === undefined) return;
    this.#streams.set(next, 'own');
    if (this.#unknownAfter(next).length > 0) this.#ask(next);
    this.#options.changed();
  }

  /** Ends all waiting. */
  stop(): void {
    for (const cancel of this.#asked.values()) cancel();
    this.#asked.clear();
  }

  #holder(): number | undefined {
    return [...this.#streams].find(([, whose]) => whose === 'own')?.[0];
  }

  /** Streams that were opened after this one, and of which is not known yet whose they are. */
  #unknownAfter(stream: number): readonly number[] {
    const streams = [...this.#streams];
    const at = streams.findIndex(([each]) => each === stream);
    return streams.slice(at + 1).flatMap(([each, whose]) => (whose === 'unknown' ? [each] : []));
  }

  #ask(stream: number): void {
    if (this.#asked.has(stream)) return;
    const { clock, ask, drop } = this.#options;
    if (ask(stream)) {
      const reason = 'its client does not answer, and another connection has its node id';
      this.#asked.set(
        stream,
        clock.after(PATIENCE_MS, () => drop(stream, reason)),
      );
      return;
    }
    // Until it can, nothing is known: to take the other for a second Envoy would take its services from it.
    const again = clock.after(AGAIN_MS, () => {
      this.#asked.delete(stream);
      this.#ask(stream);
    });
    this.#asked.set(stream, again);
  }
}
