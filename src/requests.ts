import type { Clock } from './base/clock.ts';
import type { NodeGuard } from './base/node-guard.ts';
import { AccessLogs } from './envoy/access-logs.ts';
import { formatHostPort, type HostPort } from './envoy/address.ts';
import { envoyAdmin } from './envoy/admin.ts';
import { followLineStats } from './envoy/line-stats.ts';
import { givenUpDuring, requestEvent } from './request-events.ts';
import { Traffic, type TrafficListener } from './status/traffic.ts';
import { REQUEST_LOG } from './translate/names.ts';

/** How requests are followed. */
export interface RequestsOptions {
  readonly clock: Clock;
  /** Whose logs are taken. */
  readonly guard: NodeGuard;
  /** Counts what is seen. */
  readonly listener: TrafficListener;
  /** Envoy's admin; undefined: its statistics are not asked. */
  readonly statistics: HostPort | undefined;
}

/** How often Envoy's statistics are asked. */
const STATISTICS_MS = 1000;

/** Whoever does not answer on this machine in this time will not. */
const ANSWER_MS = 900;

/** What Envoys tell about requests: the gRPC service they tell it to, and what is known from it. */
export function followRequests({ clock, guard, listener, statistics }: RequestsOptions) {
  const traffic = new Traffic(clock, listener);
  const accessLogs = new AccessLogs({
    guard,
    onOpen: ({ id, logName }) => {
      if (logName === REQUEST_LOG.requests) traffic.opened(id);
    },
    onEntries: (entries, { id, logName }) => {
      if (logName === REQUEST_LOG.requests) traffic.record(entries.map(requestEvent), id);
      else if (logName === REQUEST_LOG.timeouts) {
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
