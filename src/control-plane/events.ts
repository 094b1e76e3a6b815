import type { ServiceName } from '../model/service.ts';
import type { SlotsEvent } from '../slots/events.ts';
import type { XdsEvent } from '../xds/protocol/event.ts';

/** Everything that the controller hears of. */
export type ControllerEvent =
  /** The routes, or the pods of a service, are not what they were. */
  | { readonly kind: 'sources' }
  /** These Envoys may be to get other services than before, or other problems are to be told of some. */
  | { readonly kind: 'ownership'; readonly nodes: ReadonlySet<string> }
  /** Other problems are to be told of slots that Envoys share. */
  | { readonly kind: 'sharing' }
  /** An Envoy is to be sent something else: its rollout has gone on. */
  | { readonly kind: 'rollout'; readonly node: string }
  /** Other pods of a service fail their health checks than before, or other slots of them are taken by jobs. */
  | { readonly kind: 'health'; readonly service: ServiceName }
  /** Something between an Envoy and the xDS server. */
  | { readonly kind: 'xds'; readonly event: XdsEvent }
  /** Something between a queue filter and its server. */
  | { readonly kind: 'slots'; readonly event: SlotsEvent };

/** How the parts of the control plane tell the controller what happens, whoever is made first. */
export class EventQueue {
  readonly #later: (callback: () => void) => void;
  #events: ControllerEvent[] = [];
  #take: ((events: readonly ControllerEvent[]) => void) | undefined;
  #isDue = false;

  /** `later`: after what is going on now; `setImmediate` when left out. */
  constructor(later: (callback: () => void) => void = setImmediate) {
    this.#later = later;
  }

  /** Tells the controller, after all that goes on now: what comes together is handed over together. */
  post(event: ControllerEvent): void {
    this.#events.push(event);
    this.#schedule();
  }

  /** From now on events go here, those included that came before. */
  handle(take: (events: readonly ControllerEvent[]) => void): void {
    this.#take = take;
    if (this.#events.length > 0) this.#schedule();
  }

  #schedule(): void {
    if (this.#isDue || this.#take === undefined) return;
    this.#isDue = true;
    this.#later(() => {
      this.#isDue = false;
      const events = this.#events;
      this.#events = [];
      this.#take?.(events);
    });
  }
}
