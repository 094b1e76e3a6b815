import type { Clock } from '../base/clock.ts';

/** Whose a stream with a certain node id is: that Envoy's, another's, or that is not known yet. */
export type Whose = 'own' | 'unknown' | 'another';

/** What `SameNodeId` works with. */
export interface SameNodeIdOptions {
  readonly clock: Clock;
  /** Makes the client of a stream say something if it is alive; false: it cannot be asked. */
  readonly ask: (stream: number) => boolean;
  /** Ends a stream whose client says nothing. */
  readonly drop: (stream: number, reason: string) => void;
  /** Told when it is known of more streams whose they are, or otherwise than before, but for those that are just opened or closed. */
  readonly changed: () => void;
}

/** An Envoy that is alive answers in milliseconds. */
const PATIENCE_MS = 5000;

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
  #asked: number | undefined;
  #cancel: () => void = () => {};

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

  opened(stream: number): void {
    const holder = this.#holder();
    this.#streams.set(stream, holder === undefined ? 'own' : 'unknown');
    if (holder !== undefined) this.#ask(holder);
  }

  /**
   * The client of a stream has services with a limit, from a control plane before this one. It goes before one that has
   * none and was a moment earlier: its requests still run.
   */
  claimed(stream: number): void {
    this.#claims.add(stream);
    const holder = this.#holder();
    if (holder === undefined || this.#claims.has(holder) || this.#streams.get(stream) !== 'unknown') return;
    this.stop();
    this.#streams.set(stream, 'own').set(holder, 'unknown');
    this.#ask(stream);
    this.#options.changed();
  }

  /** The client of a stream has answered something. */
  heard(stream: number): void {
    if (stream === this.#asked) this.#areTwo();
  }

  closed(stream: number): void {
    const whose = this.#streams.get(stream);
    this.#streams.delete(stream);
    this.#claims.delete(stream);
    if (whose !== 'own') return;
    this.stop();
    const [next] = this.#streams.keys();
    if (next === undefined) return;
    this.#streams.set(next, 'own');
    if ([...this.#streams.values()].includes('unknown')) this.#ask(next);
    this.#options.changed();
  }

  /** Ends all waiting. */
  stop(): void {
    this.#cancel();
    this.#asked = undefined;
  }

  #holder(): number | undefined {
    return [...this.#streams].find(([, whose]) => whose === 'own')?.[0];
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
    for (const [stream, whose] of this.#streams) if (whose === 'unknown') this.#streams.set(stream, 'another');
    this.#options.changed();
  }
}
