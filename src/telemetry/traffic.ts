import { assertNever } from '../base/assert-never.ts';
import type { Clock } from '../base/clock.ts';
import { remember } from '../base/remember.ts';
import type { Result } from '../base/result.ts';
import type { Counts } from './counts.ts';
import { type Sample, TrafficHistory } from './history.ts';
import { type RequestEvent, ServiceTraffic, type TrafficReading } from './service-traffic.ts';

/** What Envoy's statistics say about one service. */
export interface LineReading {
  /** Requests that wait at the gate. */
  readonly waiting: number;
  /** Pods that are ejected. */
  readonly ejected: number;
  /** Requests that were sent to a pod again, since Envoy started. */
  readonly retried: number;
}

/** Whether Envoy's statistics can be asked. */
export type StatisticsState =
  /** Nobody said where, or the first answer is not there yet. */
  { readonly kind: 'unknown' } | { readonly kind: 'answers' } | { readonly kind: 'silent'; readonly reason: string };

/** What a service holds at a moment, as far as it is known. */
export interface HeldNow {
  readonly name: string;
  readonly inUse: number | undefined;
  readonly waiting: number | undefined;
}

/** Told of what is counted, for the metrics. */
export interface TrafficListener {
  ended(event: Extract<RequestEvent, { kind: 'ended' }>): void;
  timedOut(service: string, during: 'wait' | 'work'): void;
  retried(service: string, count: number): void;
}

/** Waiting requests that are kept in mind; no others above it, and so the oldest stay known. */
const MOST_WAITING = 200_000;
/** The log is told within 0.5 s; after this long nothing is on its way any more. */
const SETTLED_MS = 2000;
/** Who was in line before the log began is seen in the statistics at once. */
const FIRST_LOOK_MS = 5000;

const NOTHING: LineReading = { waiting: 0, ejected: 0, retried: 0 };

/** What is known of the requests of all services: from Envoys' access logs, and from their statistics. */
export class Traffic {
  readonly #clock: Clock;
  readonly #listener: TrafficListener;
  readonly #services = new Map<string, ServiceTraffic>();
  readonly #began = new Map<number, number>();
  readonly #history = new TrafficHistory();
  #lines: ReadonlyMap<string, LineReading> | undefined;
  #statistics: StatisticsState = { kind: 'unknown' };
  #oneIn = 1;

  constructor(clock: Clock, listener: TrafficListener) {
    this.#clock = clock;
    this.#listener = listener;
  }

  /** The services that anything is known of. */
  get services(): readonly string[] {
    return [...this.#services.keys()];
  }

  /** How many waiting requests are kept in mind, over all services. */
  get waiting(): number {
    let sum = 0;
    for (const { waiting } of this.#services.values()) sum += waiting;
    return sum;
  }

  /** A log stream has begun. */
  opened(stream: number): void {
    this.#began.set(stream, this.#clock.now());
  }

  /** A log stream has ended. */
  closed(stream: number): void {
    if (!this.#began.delete(stream)) return;
    for (const service of this.#services.values()) service.forget(stream);
  }

  /** Of the requests that are answered or refused, one in so many is told of; it stands for the others. */
  get oneIn(): number {
    return this.#oneIn;
  }

  /** Takes of how many of them one is told of from now on. */
  sampled(oneIn: number): void {
    this.#oneIn = oneIn;
  }

  /** Takes what a log stream says, in its order. */
  record(events: readonly RequestEvent[], stream: number): void {
    let room = MOST_WAITING - this.waiting;
    for (const event of events) {
      if (event.service === '' || (event.kind === 'waits' && room-- <= 0)) continue;
      this.#recordOne(event, stream);
    }
  }

  #recordOne(event: RequestEvent, stream: number): void {
    const service = this.#service(event.service);
    switch (event.kind) {
      case 'waits':
        service.waits(event.id, event.startedAt, { stream, toldAt: this.#clock.now() });
        break;
      case 'admitted':
        service.admitted(event.id, event.startedAt);
        break;
      case 'ended':
        service.ended(event);
        this.#listener.ended(event);
        if (event.outcome === 'timed out') this.#listener.timedOut(event.service, 'work');
        break;
      default:
        assertNever(event);
    }
  }

  /** A request was given up where the first hop does not see it: while it waited, or while a pod worked on it. */
  recordTimeout(service: string, during: 'wait' | 'work'): void {
    this.#service(service).gaveUp();
    this.#listener.timedOut(service, during);
  }

  /** Takes what Envoy's statistics say, or why they say nothing. */
  recordLines(lines: Result<ReadonlyMap<string, LineReading>, string>): void {
    if (!lines.ok) {
      this.#statistics = { kind: 'silent', reason: lines.errors.join('; ') };
      return;
    }
    const now = this.#clock.now();
    const began = [...this.#began.values()].find((at) => now - at < FIRST_LOOK_MS);
    for (const name of new Set([...lines.value.keys(), ...this.#services.keys()])) {
      const line = lines.value.get(name) ?? NOTHING;
      this.#service(name).correct(line.waiting, now - SETTLED_MS, began);
      const before = this.#lines?.get(name)?.retried;
      // Envoy was started anew when it counts from 0 again. What was before the first look was before Sluice.
      if (before !== undefined)
        this.#listener.retried(name, Math.max(0, line.retried - (line.retried < before ? 0 : before)));
    }
    this.#lines = lines.value;
    this.#statistics = { kind: 'answers' };
  }

  /** Whether anybody waits, any pod is ejected, or the statistics are not known: something may change soon. */
  get isBusy(): boolean {
    if (this.#statistics.kind !== 'answers' || this.waiting > 0) return true;
    return [...(this.#lines?.values() ?? [])].some(({ waiting, ejected }) => waiting > 0 || ejected > 0);
  }

  /** Whether `line` can be known. */
  statistics(): StatisticsState {
    return this.#statistics;
  }

  /** What Envoy's statistics last said about a service; undefined: they are not known now. */
  line(service: string): LineReading | undefined {
    return this.#statistics.kind === 'answers' ? (this.#lines?.get(service) ?? NOTHING) : undefined;
  }

  /** What the log says about a service; undefined: no log has come yet. */
  read(service: string): TrafficReading | undefined {
    if (this.#began.size === 0 && !this.#services.has(service)) return undefined;
    return (this.#services.get(service) ?? NEVER).read(this.#clock.now());
  }

  /** The last 15 minutes of a service in steps of 5 s, oldest first. */
  history(service: string): readonly Sample[] {
    return this.#history.of(service);
  }

  /**
   * A slice of time (`SLICE_MS`) has ended. Takes what its services hold now, for the history, and forgets everything
   * about services that are not among them.
   */
  rotate(services: readonly HeldNow[]): void {
    const at = this.#clock.now();
    const names = new Set(services.map(({ name }) => name));
    for (const name of this.#services.keys()) if (!names.has(name)) this.#services.delete(name);
    this.#history.keep(names);
    for (const { name, inUse, waiting } of services) {
      const service = this.#services.get(name);
      const { counts, waitMs } = service?.current() ?? { counts: undefined, waitMs: undefined };
      this.#history.add(name, { at, inUse, waiting, ended: ended(counts), refused: counts?.refused ?? 0, waitMs });
      service?.rotate(at);
    }
  }

  #service(name: string): ServiceTraffic {
    // One that earlier statistics did not have had an empty line then.
    return remember(this.#services, name, () => new ServiceTraffic(this.#statistics.kind === 'answers'));
  }
}

/** A service nobody has asked for anything. */
const NEVER = new ServiceTraffic();

function ended(counts: Counts | undefined): number {
  return counts === undefined ? 0 : counts.answered + counts.failed + counts.timedOut;
}
