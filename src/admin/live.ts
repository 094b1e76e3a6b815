import type { ServerResponse } from 'node:http';
import { type Clock, systemClock } from '../base/clock.ts';
import type { Status } from '../status/status.ts';
import { headView, serviceView } from './view.ts';

/** What the live view is made from. */
export interface LiveOptions {
  readonly status: () => Status;
  /** Whether the page offers to send a burst. */
  readonly burst: boolean;
  readonly clock?: Clock;
  /** Told when a view could not be made: a bug. */
  readonly onFault: (error: unknown) => void;
}

/** How often viewers are told what has changed, in milliseconds. */
const INTERVAL_MS = 500;
/** Others are turned away: probes and scrapes must find a free connection. */
const MOST_VIEWERS = 32;
/** A viewer that has not taken this many bytes is cut off; its browser comes back and gets the whole view anew. */
const MOST_UNREAD = 4 * 1024 * 1024;

/** Parts of a view as JSON, by name; equal texts need not be sent again. */
interface View {
  readonly at: string;
  readonly head: string;
  readonly routes: string;
  readonly events: string;
  readonly services: ReadonlyMap<string, string>;
}

/**
 * What is true, told to browsers as server-sent events: all of it at first, then what has changed. It is worked out
 * once for all viewers, and not at all while there is none.
 */
export class Live {
  readonly #options: LiveOptions;
  readonly #clock: Clock;
  readonly #viewers = new Set<ServerResponse>();
  #view: View | undefined;
  #cancel: (() => void) | undefined;

  constructor(options: LiveOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** Keeps telling this viewer until it leaves; false: there are too many, and nothing was written. */
  open(response: ServerResponse, headers: Readonly<Record<string, string>>): boolean {
    if (this.#viewers.size >= MOST_VIEWERS) return false;
    const view = this.#make();
    response.writeHead(200, { ...headers, 'content-type': 'text/event-stream; charset=utf-8' });
    this.#viewers.add(response);
    response.on('close', () => this.#leave(response));
    if (view !== undefined) {
      this.#view ??= view;
      // Against the view that all others have: the next change is told to all of them alike.
      response.write(message(this.#view, undefined));
    }
    this.#cancel ??= this.#clock.after(INTERVAL_MS, () => this.#tick());
    return true;
  }

  /** Ends all streams. */
  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    for (const viewer of this.#viewers) viewer.end();
    this.#viewers.clear();
  }

  #leave(viewer: ServerResponse): void {
    this.#viewers.delete(viewer);
    if (this.#viewers.size > 0) return;
    this.#cancel?.();
    this.#cancel = undefined;
    this.#view = undefined;
  }

  #tick(): void {
    this.#cancel = this.#clock.after(INTERVAL_MS, () => this.#tick());
    const view = this.#make();
    if (view === undefined) return;
    const text = message(view, this.#view);
    this.#view = view;
    for (const viewer of this.#viewers) {
      if (viewer.writableLength > MOST_UNREAD) viewer.destroy();
      else viewer.write(text);
    }
  }

  #make(): View | undefined {
    try {
      const status = this.#options.status();
      return {
        at: status.at,
        head: JSON.stringify(headView(status, this.#options.burst)),
        routes: JSON.stringify(status.routes),
        events: JSON.stringify(status.events),
        services: new Map(status.services.map((service) => [service.name, JSON.stringify(serviceView(service))])),
      };
    } catch (error) {
      this.#options.onFault(error);
      return undefined;
    }
  }
}

/** An event: `full` or what differs from the view before. */
function message(view: View, before: View | undefined): string {
  const changed = [...view.services].filter(([name, json]) => before?.services.get(name) !== json);
  const gone = [...(before?.services.keys() ?? [])].filter((name) => !view.services.has(name));
  const parts = [
    `"full":${before === undefined}`,
    `"at":${JSON.stringify(view.at)}`,
    ...(['head', 'routes', 'events'] as const).flatMap((part) =>
      view[part] === before?.[part] ? [] : [`"${part}":${view[part]}`],
    ),
    `"services":[${changed.map(([, json]) => json).join(',')}]`,
    `"gone":${JSON.stringify(gone)}`,
  ];
  // JSON has no line breaks, which would end the event.
  return `data: {${parts.join(',')}}\n\n`;
}
