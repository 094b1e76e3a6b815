import { Counter, type Registry } from 'prom-client';

/** Those that ask somebody; static addresses come with the route file, which has metrics of its own. */
const SOURCES = ['kubernetes', 'dns'] as const;
const EVENTS = ['answer', 'change', 'failure'] as const;

/** A source of pods that asks somebody. */
export type AskingSource = (typeof SOURCES)[number];

/** What happened between a source and whom it asks. */
export type SourceEvent = (typeof EVENTS)[number];

/** Counts what the sources of pods hear, in all services together: their number of series is fixed. */
export class SourceMetrics {
  readonly #events: Counter<'source' | 'event'>;

  constructor(registry: Registry) {
    this.#events = new Counter({
      name: 'sluice_source_events_total',
      help: 'What the sources of pods heard: answers (pages of a list, DNS answers), changes (events of a watch, other active addresses), failures (no good answer).',
      labelNames: ['source', 'event'],
      registers: [registry],
    });
    // All are there from the start: a rate over them sees the first event too.
    for (const source of SOURCES) for (const event of EVENTS) this.#events.inc({ source, event }, 0);
  }

  /** Counts one event. */
  record(source: AskingSource, event: SourceEvent): void {
    this.#events.inc({ source, event });
  }
}
