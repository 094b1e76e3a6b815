import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { SourceLog } from '../model/source.ts';
import type { RecentEvent } from '../telemetry/events.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import type { XdsEvent } from '../xds/protocol/event.ts';
import type { FailedHandshake } from '../xds/server/failed-handshakes.ts';

/** Where the source of this name tells what happens to it. */
export function sourceLog(log: Logger, source: string): SourceLog {
  return (level, message, fields) => log[level]({ source, ...fields }, message);
}

/** An Envoy that is refused comes again every second; this often it is told, in milliseconds. */
const TELL_REFUSAL_MS = 60_000;

/** Refusals that are remembered: a client may make up node ids. */
const MOST_REFUSALS = 1000;

/** Tells what happens between Envoys and the xDS server. */
export class EventLog {
  readonly #log: Logger;
  readonly #clock: Clock;
  /** When each refusal was last told, oldest first. */
  readonly #refusals = new Map<string, number>();

  constructor(log: Logger, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  record(event: XdsEvent): void {
    const { kind, node } = event;
    switch (kind) {
      case 'connected':
        this.#log.info({ node: node.id, userAgent: event.userAgent }, 'Envoy connected');
        break;
      case 'disconnected':
        this.#log.info({ node: node.id, reason: event.reason }, 'Envoy disconnected');
        break;
      case 'refused':
        this.#refused(event);
        break;
      case 'nacked':
        // What is refused is tried again and again; once is enough to say so.
        this.#log[event.again ? 'debug' : 'error'](
          { node: node.id, typeUrl: event.typeUrl, resources: event.resources, message: event.message },
          'Envoy rejected part of its configuration',
        );
        break;
      default:
        this.#log.debug({ ...event, node: node.id }, 'xds');
    }
  }

  /** The stream of a queue filter, or of another Sluice, was refused for its certificate. */
  forbidden(peer: string, reason: string): void {
    this.#once(
      `stream: ${reason}`,
      { peer, reason },
      'a stream is refused: --xds-allow does not let its client open it',
    );
  }

  /** A connection was given up while TLS was spoken about. */
  handshakeFailed({ peer, reason, fix }: FailedHandshake): void {
    const from = peer === undefined ? {} : { peer };
    this.#once(
      `${peer} ${reason}`,
      { ...from, reason },
      `a connection of an Envoy or another Sluice is refused: ${reason}; ${fix}`,
    );
  }

  #refused({ node, peer, reason }: XdsEvent & { readonly kind: 'refused' }): void {
    this.#once(
      reason,
      { node: node.id, peer, reason },
      'a client gets nothing: --xds-allow does not let it use this node id',
    );
  }

  /** Tells a cause now and then, however often it comes. */
  #once(cause: string, fields: object, message: string): void {
    const now = this.#clock.monotonic();
    const last = this.#refusals.get(cause);
    if (last !== undefined && now - last < TELL_REFUSAL_MS) return;
    this.#refusals.delete(cause);
    this.#refusals.set(cause, now);
    const [oldest] = this.#refusals.keys();
    if (this.#refusals.size > MOST_REFUSALS && oldest !== undefined) this.#refusals.delete(oldest);
    this.#log.warn(fields, message);
  }
}

/** Logs what happens to pods and queue filters, and each edit: one line each, nothing when nothing happens. */
export function logRecentEvents(log: Logger): (event: RecentEvent) => void {
  return ({ at: _, kind, message, ...about }) => log[LEVELS[kind]]({ ...about, event: kind }, sentence(kind, message));
}

const LEVELS = {
  'job ended': 'warn',
  'pod ejected': 'warn',
  'pod returned': 'info',
  'pod draining': 'info',
  'pod drained': 'info',
  'filter connected': 'info',
  'filter disconnected': 'warn',
  'filter rejected': 'error',
  'envoy connected': 'info',
  'envoy disconnected': 'info',
  'configuration rejected': 'error',
  edit: 'info',
  command: 'info',
} as const satisfies Record<RecentEvent['kind'], 'info' | 'warn' | 'error'>;

/** Events of pods say what happened to it, the fields say to which one. */
function sentence(kind: RecentEvent['kind'], message: string): string {
  return kind.startsWith('pod ') ? `pod ${message}` : message;
}

/** Keeps what happens between Envoys and the xDS server among the recent events; the log has it already. */
export function noteXdsEvent(telemetry: Pick<Telemetry, 'note'>, event: XdsEvent): void {
  const node = event.node.id;
  switch (event.kind) {
    case 'connected':
      telemetry.note({ kind: 'envoy connected', node, message: `${event.userAgent} is connected` });
      break;
    case 'disconnected':
      telemetry.note({ kind: 'envoy disconnected', node, message: `is disconnected: ${event.reason}` });
      break;
    case 'nacked': {
      if (event.again || event.retried) break;
      const what = event.resources.length === 0 ? event.typeUrl : event.resources.join(', ');
      telemetry.note({ kind: 'configuration rejected', node, message: `rejected ${what}: ${event.message}` });
      break;
    }
    default:
  }
}
