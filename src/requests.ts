import type { Clock } from './base/clock.ts';
import type { NodeGuard } from './base/node-guard.ts';
import { AccessLogs } from './envoy/access-logs.ts';
import { formatHostPort, type HostPort } from './envoy/address.ts';
import { envoyAdmin } from './envoy/admin.ts';
import { followLineStats } from './envoy/line-stats.ts';
import type { ServiceName } from './model/service.ts';
import { givenUpDuring, requestEvent } from './request-events.ts';
import type { RequestEvent } from './status/service-traffic.ts';
import { Traffic, type TrafficListener } from './status/traffic.ts';
import { REQUEST_LOG } from './translate/names.ts';

/** How requests are followed. */
export interface RequestsOptions {
  readonly clock: Clock;
  /** Whose logs are taken. */
  readonly guard: NodeGuard;
  /** Counts what is seen. */
  readonly listener: TrafficListener;
  /** A pod has worked on a request of this service for so long. */
  readonly worked: (service: ServiceName, ms: number) => void;
  /** Envoy's admin; undefined: its statistics are not asked. */
  readonly statistics: HostPort | undefined;
}

/** How often Envoy's statistics are asked. */
const STATISTICS_MS = 1000;

/** Whoever does not answer on this machine in this time will not. */
const ANSWER_MS = 900;

/** Of requests that were answered: what else ends, Envoy may have ended before a pod saw it. */
function tellWork(event: RequestEvent, worked: RequestsOptions['worked']): void {
  if (event.kind !== 'ended' || event.waitMs === undefined || event.outcome !== 'answered') return;
  // The log has the names that routes have, and those are services'.
  worked(event.service as ServiceName, event.durationMs - event.waitMs);
}

/** What Envoys tell about requests: the gRPC service they tell it to, and what is known from it. */
export function followRequests({ clock, guard, listener, statistics, worked }: RequestsOptions) {
  const traffic = new Traffic(clock, listener);
  const accessLogs = new AccessLogs({
    guard,
    onOpen: ({ id, logName }) => {
      if (logName === REQUEST_LOG.requests) traffic.opened(id);
    },
    onEntries: (entries, { id, logName }) => {
      if (logName === REQUEST_LOG.requests) {
        const events = entries.map(requestEvent);
        traffic.record(events, id);
        for (const event of events) tellWork(event, worked);
      } else if (logName === REQUEST_LOG.timeouts) {
        for (const entry of entries) {
          const during = givenUpDuring(entry);
          if (during !== undefined) traffic.recordTimeout(entry.service, during);
        }
      }
    },
    onClosed: ({ id }) => traffic.closed(id),
  });
  return {
    traffic,
    accessLogs,
    statisticsFrom: statistics && formatHostPort(statistics),
    /** Asks for statistics until `signal` is aborted; never rejects. */
    async run(signal: AbortSignal): Promise<void> {
      if (statistics === undefined) return;
      const admin = envoyAdmin(statistics, ANSWER_MS);
      const onStats = traffic.recordLines.bind(traffic);
      await followLineStats({ admin, clock, intervalMs: STATISTICS_MS, onStats }, signal);
    },
  };
}
