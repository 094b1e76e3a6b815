/** What kinds of events there are. */
export const EVENT_KINDS = [
  /** A job was ended without its pod: its time is over, or its pod has forgotten it. */
  'job ended',
  /** A pod gets no request for a while because of how it answers. */
  'pod ejected',
  /** Its time is over, and it gets requests again. */
  'pod returned',
  /** A pod gets no new request and finishes those it has. */
  'pod draining',
  /** Its last request has ended. */
  'pod drained',
  'filter connected',
  'filter disconnected',
  /** The filter could not use something that Sluice sent. */
  'filter rejected',
  'envoy connected',
  'envoy disconnected',
  /** Envoy did not take a part of the configuration. */
  'configuration rejected',
  /** The route file changed. */
  'edit',
  /** Somebody paused or resumed a service, drained a pod or took that back, or cancelled a request. */
  'command',
] as const;

/** See `EVENT_KINDS`. */
export type EventKind = (typeof EVENT_KINDS)[number];

/** Something that happened, for a person to read later. */
export interface RecentEvent {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly kind: EventKind;
  /** What it is about, as far as it is about one. */
  readonly service?: string;
  readonly pod?: string;
  readonly node?: string;
  /** A short sentence without its stop. */
  readonly message: string;
}

/** Older ones are dropped, in milliseconds. */
const KEPT_MS = 3_600_000;
/** So are the oldest of more than these: pods that come and go all the time must not fill the memory. */
const MOST = 500;

/** What happened in the last hour. */
export class RecentEvents {
  readonly #events: RecentEvent[] = [];

  /** Adds the newest. */
  add(event: RecentEvent): void {
    this.#events.push(event);
    if (this.#events.length > MOST) this.#events.shift();
  }

  /** At most `most` of the last hour, newest first. */
  list(now: number, most = MOST): readonly RecentEvent[] {
    while (this.#events[0] !== undefined && now - this.#events[0].at > KEPT_MS) this.#events.shift();
    return this.#events.toReversed().slice(0, most);
  }
}
